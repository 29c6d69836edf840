//! Where the store is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

/// Where the store is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Location {
    /// `sqlite:PATH`
    Sqlite(PathBuf),
    /// `postgres://...`
    Postgres(Postgres),
}

/// The URL of a PostgreSQL database. What is shown of it is no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Postgres(String);

/// Not the URL of a store.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a store is given as `sqlite:PATH` or `postgres://USER@HOST/DATABASE`, found `{0}`")]
pub struct NoLocation(String);

impl FromStr for Location {
    type Err = NoLocation;

    fn from_str(url: &str) -> Result<Self, NoLocation> {
        // A password may stand in what follows the scheme.
        let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
        match scheme {
            "sqlite" if !rest.is_empty() => Ok(Self::Sqlite(rest.strip_prefix("//").unwrap_or(rest).into())),
            "postgres" | "postgresql" if PgConnectOptions::from_str(url).is_ok() => {
                Ok(Self::Postgres(Postgres(url.to_owned())))
            }
            _ => Err(NoLocation(scheme.to_owned())),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

impl Postgres {
    /// How to connect; what the URL leaves out is taken from `PGPASSFILE` and its like.
    pub(super) fn options(&self) -> PgConnectOptions {
        PgConnectOptions::from_str(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.options();
        let database = options.get_database().unwrap_or(options.get_username());
        write!(f, "postgres://{}:{}/{database}", options.get_host(), options.get_port())
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read_and_passwords_are_not_repeated() {
        assert_eq!("sqlite:a/b.db".parse(), Ok(Location::Sqlite("a/b.db".into())));
        assert_eq!("sqlite:///a/b.db".parse(), Ok(Location::Sqlite("/a/b.db".into())));
        let postgres: Location = "postgres://me:secret@host/db".parse().unwrap();
        assert_eq!(
            (postgres.to_string(), format!("{postgres:?}")),
            ("postgres://host:5432/db".to_owned(), "Postgres(postgres://host:5432/db)".to_owned(),)
        );
        for wrong in ["mysql://me:secret@host/db", "postgres://me:secret@host:port/db", "sqlite:", "secret"] {
            let error = wrong.parse::<Location>().unwrap_err().to_string();
            assert!(!error.contains("secret@"), "{error}");
        }
    }
}
