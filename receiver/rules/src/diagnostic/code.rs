//! Kinds of diagnostics.

/// How bad a diagnostic is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// The file does not load.
    Error,
    /// It loads, with something that is probably not meant.
    Warning,
    /// It loads and Falco has nothing to say; we have.
    Note,
}

impl Severity {
    /// `error`, `warning` or `note`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

macro_rules! codes {
    ($($severity:ident { $($variant:ident $name:literal $description:literal)* })*) => {
        /// Kind of a diagnostic. All but those named `KAB_...` are Falco's.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Code {
            $($(#[doc = $description] $variant,)*)*
        }

        impl Code {
            /// The name for machines.
            pub fn as_str(self) -> &'static str {
                match self { $($(Self::$variant => $name,)*)* }
            }

            /// The kind in words.
            pub fn description(self) -> &'static str {
                match self { $($(Self::$variant => $description,)*)* }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self { $($(Self::$variant)|* => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    Error {
        FileRead "LOAD_ERR_FILE_READ" "A file can not be read"
        YamlParse "LOAD_ERR_YAML_PARSE" "The file is not YAML"
        YamlValidate "LOAD_ERR_YAML_VALIDATE" "The file is YAML, but not of the shape of rules"
        CompileCondition "LOAD_ERR_COMPILE_CONDITION" "A condition can not be compiled"
        CompileOutput "LOAD_ERR_COMPILE_OUTPUT" "An output can not be compiled"
        Validate "LOAD_ERR_VALIDATE" "A rule, macro, list, exception or requirement does not fit with the others"
        UnmetPlugin "KAB_UNMET_PLUGIN_VERSION" "A required plugin version is not provided"
    }
    Warning {
        UnknownSource "LOAD_UNKNOWN_SOURCE" "A rule for a source of events that is not known; it is skipped"
        UnsafeNa "LOAD_UNSAFE_NA_CHECK" "A comparison with `<NA>`"
        NoEventType "LOAD_NO_EVTTYPE" "A condition that is not limited to some event types"
        UnknownFilter "LOAD_UNKNOWN_FILTER" "A field that does not exist, in a rule that asks to be skipped then"
        UnusedMacro "LOAD_UNUSED_MACRO" "A macro that nothing refers to"
        UnusedList "LOAD_UNUSED_LIST" "A list that nothing refers to"
        UnknownItem "LOAD_UNKNOWN_ITEM" "An item that is no rule, macro, list or requirement; it is ignored"
        DeprecatedItem "LOAD_DEPRECATED_ITEM" "Something deprecated is used"
        AppendNoValues "LOAD_APPEND_NO_VALUES" "An exception is appended without values"
        ExceptionNameNotUnique "LOAD_EXCEPTION_NAME_NOT_UNIQUE" "Exceptions of one rule share a name"
        InvalidMacroName "LOAD_INVALID_MACRO_NAME" "A macro whose name conditions can not refer to"
        InvalidListName "LOAD_INVALID_LIST_NAME" "A list whose name is not a plain word"
        CompileWarning "LOAD_COMPILE_CONDITION" "A condition that probably means something else"
        UnknownKey "LOAD_UNKNOWN_KEY" "A key that the item does not have; it is ignored"
    }
    Note {
        Quirk "KAB_QUIRK" "A rule leans on behaviour that is kept for compatibility only"
    }
}
