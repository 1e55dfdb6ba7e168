use db::DbError;

/// Why usage was refused as a whole. What is wrong with a single event is its [`crate::Outcome`].
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    #[error("a batch holds 1 to 50,000 events, not {0}")]
    BatchMustHaveASize(usize),
    #[error("a meter's code is 1 to 60 of a-z, 0-9, _ and ., not {0:?}")]
    MeterCodeMustBeSimple(String),
    #[error("the {field} of a meter has 1 to {characters_max} characters")]
    MeterTextMustBeShort { field: &'static str, characters_max: usize },
    #[error("a meter keeps at most {0} dimensions, each with 1 to 200 characters")]
    MeterDimensionsMustBeFew(usize),
    #[error("a dimension's name has no comma, not {0:?}: lists of names are told apart by it")]
    MeterDimensionMustHaveNoComma(String),
    #[error("another meter has the code {0:?}")]
    MeterCodeMustBeFree(String),
    #[error("a filter has at most {0} dimensions, each with a value of 1 to 200 characters")]
    MeterFilterMustBeShort(usize),
    #[error("a meter of different values says of which dimension, and no other meter does")]
    MeterMustNameItsValues,
    #[error(
        "a meter of a percentile says of how many percent, above 0 and at most 100 with three decimals, and no other meter does"
    )]
    MeterMustSayItsPercent,
    #[error("how many are at once of all is no sum of how many are of each: such a meter keeps no dimensions")]
    MeterOfPeaksMustKeepNoDimensions,
    #[error("a dimension that a meter keeps is not called = or =of")]
    MeterDimensionMustBeAnEvents,
    #[error("the meter {0:?} adds up in another way; what is summed cannot be summed anew")]
    MeterMustKeepItsAggregation(String),
    #[error("no time zone is called {0:?}")]
    TimeZoneMustBeKnown(String),
    #[error("the sum of a batch is too large")]
    SumMustFit,
    #[error("no such entry in suspense")]
    SuspenseMustExist,
    #[error("no such import")]
    ImportMustExist,
    #[error("an import that is {state} cannot be {asked}")]
    ImportMustBeAsked { state: &'static str, asked: &'static str },
    #[error("a file has 1 byte to {max} bytes, also when it is unpacked, not {bytes}")]
    FileMustHaveASize { bytes: u64, max: usize },
    #[error("a file that begins as gzip must unpack as gzip")]
    FileMustUnpack,
    #[error("a file's name has 1 to 200 characters, none of them a control character")]
    FileNameMustBePlain(String),
    #[error("a mapping's name has 1 to 60 characters, none of them a control character")]
    MappingNameMustBePlain(String),
    #[error("a book keeps at most {0} files of call records at once: discard one, or let one be worked through")]
    FilesMustBeFew(u64),
    #[error("a book keeps at most {0} ways to read a file")]
    MappingsMustBeFew(u64),
    #[error(transparent)]
    ImportSettings(#[from] crate::imports::SettingsFault),
    #[error("between 1 and 60 months of partitions, not {0}")]
    MonthsMustBeAFew(u32),
    #[error("events are kept for 14 to 600 months, not {0}")]
    EventsMustBeKept(u32),
    #[error("stored {what} cannot be read: {found:?}")]
    StoredValueMustBeKnown { what: &'static str, found: String },
    #[error("a rate deck's name has 1 to 80 characters, not {0:?}")]
    DeckNameMustBeShort(String),
    #[error("another rate deck is called {0:?}")]
    DeckNameMustBeFree(String),
    #[error("there is no such rate deck in this book")]
    DeckMustExist,
    #[error("the rate deck has no version {0}")]
    DeckVersionMustExist(u32),
    #[error("a rate deck begins now or later, not at {0}")]
    DeckMustBeginLater(chrono::DateTime<chrono::Utc>),
    #[error("this does not wait to take effect; publish the former version again to have it back")]
    DeckMustNotHaveBegun,
    #[error(transparent)]
    Pricing(#[from] pricing::PricingError),
    #[error(transparent)]
    Subscription(#[from] subscription::SubscriptionError),
    #[error(transparent)]
    Db(#[from] DbError),
}
