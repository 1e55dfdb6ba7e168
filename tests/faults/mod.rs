//! What is done to the program, and what holds afterwards. Each story says its seed (`RINGTILL_SEED` brings it again), runs once
//! on every change and 200 times by `make test-nightly`; after it the audit is clean. A guard's check has been seen red: `mutants`
//! leaves each guard out and watches (`db::fault` and the list there). A release build knows no fault and no mutant.
//!
//! | fault | what is done | where |
//! |---|---|---|
//! | F01-F03 | the program dies before, within and after the commit that stores events | `commits` |
//! | F04 | .. between storing events and folding their sums | `commits` |
//! | F05, F07 | .. within the transaction that settles a call; after it, before the books above are told | `calls`, `power_cut` |
//! | F06 | .. with money held for a call that was never told so | `calls` |
//! | F18 | one backend of the database is killed (-9, so all of it restarts) or told to end, under load | `database` |
//! | F20 | the database's disk is full (data; a full disk of the log stops PostgreSQL itself, see F18) | `database` |
//! | F21 | 500 requests and no connection | `database` |
//! | F22 | connections that stall in the head, in the body, or send a byte now and then | `database` |
//! | F23 | deadlocks and conflicts at each statement of the way in; two blocks of the ledger against each other | `commits`; ledger: `racing` |
//! | F24 | events from a clock that is days off; a lease and a nonce go by our clock alone | `events`; ledger: `reservations`; sip-media: `digest` |
//! | F25 | calls across the hours that are missing or come twice, by random tariffs and starts | pricing: `laws_of_calls`, `laws_of_periods`; web: `span` |
//! | F28 | leap days, year's ends, a customer that moves to another zone in mid-period | pricing: `laws_of_periods`; invoicing: `zones` |
//! | F29, F30 | the edge dies with its disk and never returns; then it does | `calls`; call-control: `recording`, `came_back` |
//! | F31 | events late, twice, out of order, with another content; a whole call told at once | call-control: `recording`; sip-media: `spooling` |
//! | F32 | the desk is away while calls run | sip-media: `metering` |
//! | F33 | 64 at once on one wallet: top-ups, refunds, charges, corrections | `wallet`; ledger: `racing` |
//! | F34 | one organisation sends a hundred times what the others do | usage-metering: `intake`; `make bench ONLY=fairness` |
//! | F35 | the same key with another payload | `events`; usage-metering: `ingest` |
//! | F36 | an event that the database never takes | `events` |
//! | F37 | splits of odd amounts among many, and their reversal | call-control: `split`, `partners` |
//! | F38 | a tariff changes during a call; no rate between two currencies | call-control: `changes` |
//! | | ten million events, three kills, and all of it once more | `flood` |

mod audit;
mod calls;
mod commits;
mod database;
mod dice;
mod events;
mod flood;
mod mutants;
mod power_cut;
mod wallet;
