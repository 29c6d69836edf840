//! Which stored alerts somebody wants.

use audit_rules::Priority;
use uuid::Uuid;

/// All conditions must hold; none given: all alerts.
#[derive(Clone, Default, Debug)]
pub struct Filter {
    /// The one with this identity.
    pub id: Option<Uuid>,
    /// Events at or after this time, nanoseconds since 1970.
    pub since: Option<i64>,
    /// Events before this time, nanoseconds since 1970.
    pub until: Option<i64>,
    /// Stored at or after this time, milliseconds since 1970.
    pub stored_since: Option<i64>,
    /// Rule of that name.
    pub rule: Option<String>,
    /// Cluster of that name.
    pub cluster: Option<String>,
    /// As severe as this or more.
    pub priority: Option<Priority>,
    /// The newest so many.
    pub last: Option<u32>,
}

/// A value to bind.
pub(super) enum Value {
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Filter {
    /// A query for the documents in the order of storing, and its values in order. The text holds nothing but what is
    /// written here.
    pub(super) fn sql(&self) -> (String, Vec<Value>) {
        let text = |value: &Option<String>| value.clone().map(Value::Text);
        let conditions = [
            ("id =", self.id.map(|id| Value::Bytes(id.as_bytes().to_vec()))),
            ("time >=", self.since.map(Value::Integer)),
            ("time <", self.until.map(Value::Integer)),
            ("stored_at >=", self.stored_since.map(Value::Integer)),
            ("rule =", text(&self.rule)),
            ("cluster =", text(&self.cluster)),
            ("priority <=", self.priority.map(|priority| Value::Integer(priority as i64))),
        ];
        let mut clauses = Vec::new();
        let mut values = Vec::new();
        for (condition, value) in conditions {
            if let Some(value) = value {
                values.push(value);
                clauses.push(format!("{condition} ${}", values.len()));
            }
        }
        let filter =
            if clauses.is_empty() { String::new() } else { format!(" WHERE {}", clauses.join(" AND ")) };
        let sql = match self.last {
            None => format!("SELECT document FROM alerts{filter} ORDER BY seq"),
            Some(last) => {
                values.push(Value::Integer(last.into()));
                let newest = format!(
                    "SELECT seq, document FROM alerts{filter} ORDER BY seq DESC LIMIT ${}",
                    values.len()
                );
                format!("SELECT document FROM ({newest}) AS newest ORDER BY seq")
            }
        };
        (sql, values)
    }
}
