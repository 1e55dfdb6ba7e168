use db::DbError;

/// Why something about organisations, people or agents was refused. One variant per rule.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    #[error("a name must not be empty")]
    NameMustNotBeEmpty,
    #[error("a slug is 2 to 40 of a-z, 0-9 and -, not {0:?}")]
    SlugMustBeSimple(String),
    #[error("the slug {0:?} is taken")]
    SlugIsTaken(String),
    #[error("no time zone is called {0:?}")]
    TimeZoneMustBeKnown(String),
    #[error("a country is two capital letters, not {0:?}")]
    CountryMustBeTwoLetters(String),
    #[error("a series prefix is 1 to 8 of A-Z and 0-9, not {0:?}")]
    SeriesPrefixMustBeSimple(String),
    #[error("a tax rate is between 0 and 100 percent, not {0}")]
    TaxPercentMustBeARate(rust_decimal::Decimal),
    #[error("no such organisation")]
    OrganisationMustExist,
    #[error("an organisation cannot be above itself")]
    TreeMustHaveNoCircle,
    #[error("a new parent starts after the one before")]
    ParentMustStartLater,
    #[error("{0:?} is not a host name")]
    HostMustBeAName(String),
    #[error("the host {0:?} belongs to another organisation")]
    HostIsTaken(String),
    #[error("{name} must be a colour of six hexadecimal digits, as #3d4fd1")]
    ColourMustHaveSixDigits { name: &'static str },
    #[error("{text} on {background} has a contrast of {ratio}:1; 4.5:1 is needed to be read")]
    ContrastMustBeReadable { text: &'static str, background: &'static str, ratio: String },
    #[error("the logo must be a plain drawing: {0}")]
    LogoMustBePlain(&'static str),
    #[error("{0:?} is not an e-mail address")]
    EmailMustBeOne(String),
    #[error("somebody with this e-mail address exists")]
    EmailIsTaken,
    #[error("a password has at least 8 characters and at most 200")]
    PasswordMustBeLongEnough,
    #[error("this password is among the first that anybody tries")]
    PasswordMustNotBeCommon,
    #[error("the password could not be hashed")]
    PasswordMustHash,
    #[error("this person has this role already")]
    MemberIsThere,
    #[error("a customer's member, and only that, names its customer")]
    CustomerRoleNamesItsCustomer,
    #[error("no such member")]
    MemberMustExist,
    #[error("a phone's user name is 3 to 60 of a-z, 0-9, . and -, not {0:?}")]
    SipUsernameMustBeSimple(String),
    #[error("the phone user name {0:?} is taken")]
    SipUsernameIsTaken(String),
    #[error("this member is an agent already")]
    AgentIsThere,
    #[error("no such agent")]
    AgentMustExist,
    #[error("this agent has no seat open")]
    SeatMustBeOpen,
    #[error("a name has at most {characters_max} characters")]
    NameMustBeShort { characters_max: usize },
    #[error("a key must be allowed something")]
    KeyMustHaveScopes,
    #[error("a key must expire in the future")]
    KeyMustExpireLater,
    #[error("no such key")]
    KeyMustExist,
    #[error("no scope is called {0:?}")]
    ScopeMustBeKnown(String),
    #[error("stored {what} cannot be read: {found:?}")]
    StoredValueMustBeKnown { what: &'static str, found: String },
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Why a sign-in was refused. An address that nobody has and a wrong password are one answer.
#[derive(Debug, thiserror::Error)]
pub enum SignInRefused {
    #[error("the e-mail address or the password is wrong")]
    Wrong,
    #[error("too many tries; try again in {retry_after_seconds} seconds")]
    TooManyTries { retry_after_seconds: i64 },
    #[error("the password could not be checked")]
    CouldNotCheck,
    #[error(transparent)]
    Db(#[from] DbError),
}
