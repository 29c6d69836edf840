//! A rule set at work.

use audit_event::Event;

use crate::eval::fast::Plan;
use crate::eval::{Context, Matching, Subject, plain};
use crate::{Priority, Rule, RuleSet};

/// Rules ready to be evaluated. It holds no state of its own and may be shared.
#[derive(Debug)]
pub struct Engine {
    rules: Vec<Rule>,
    /// Indexes of the rules that are tried, in order.
    tried: Vec<usize>,
    matching: Matching,
    pub(crate) plan: Plan,
}

impl Engine {
    /// An engine that tries the enabled rules of a set.
    pub fn new(rules: RuleSet, matching: Matching) -> Self {
        Self::with_threshold(rules, matching, Priority::Debug)
    }

    /// The same without the rules that are less severe than `least`.
    pub fn with_threshold(rules: RuleSet, matching: Matching, least: Priority) -> Self {
        let RuleSet { rules, .. } = rules;
        let is_tried = |rule: &Rule| rule.enabled && rule.priority <= least;
        let tried: Vec<usize> =
            rules.iter().enumerate().filter(|(_, rule)| is_tried(rule)).map(|(at, _)| at).collect();
        let conditions = tried.iter().filter_map(|at| Some((*at, &rules.get(*at)?.condition)));
        let plan = Plan::new(conditions);
        Self { rules, tried, matching, plan }
    }

    /// All rules of the set, in its order, also those that are not tried.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule of that index.
    pub fn rule(&self, index: usize) -> Option<&Rule> {
        self.rules.get(index)
    }

    /// Indexes of those that are tried, in the order of the set.
    pub fn tried(&self) -> &[usize] {
        &self.tried
    }

    /// How many matches one event can have.
    pub fn matching(&self) -> Matching {
        self.matching
    }

    /// Indexes of the rules that match an event, in the order of the set. Steps `context` on to this event.
    pub fn evaluate(&self, event: &Event<'_>, context: &mut Context) -> Vec<usize> {
        context.next(event);
        let mut memo = context.take_memo();
        let matching = self.plan.matches(event, context, &mut memo, self.matching);
        context.keep_memo(memo);
        matching
    }

    /// The same, slowly: every rule by itself, as the language defines it. What [`Engine::evaluate`] is held against.
    pub fn evaluate_by_definition(&self, event: &Event<'_>, context: &mut Context) -> Vec<usize> {
        context.next(event);
        let subject = Subject::new(event, context);
        let holds = |at: &usize| self.rule(*at).is_some_and(|rule| plain::holds(&rule.condition, &subject));
        let matching = self.tried.iter().copied().filter(holds);
        match self.matching {
            Matching::First => matching.take(1).collect(),
            Matching::All => matching.collect(),
        }
    }
}
