//! The world that tests live in: a database of one's own, the real program on ports of its own, and the peers it talks to.
//! Never: knows an expected figure. Invariant: what a test starts ends with it, and two tests share nothing.
//! Start at [`Program::on_the_demo_world`].

#[path = "world/guest.rs"]
mod guest;
#[path = "world/machine.rs"]
mod machine;
#[path = "world/peers.rs"]
mod peers;
#[path = "world/program.rs"]
mod program;
#[path = "world/softphone.rs"]
mod softphone;

pub use guest::{Answer, Guest};
pub use machine::Machine;
pub use peers::{Finished, find_program, run_peer};
pub use program::{Program, demo_database, guarded_demo_database, program_path};
pub use softphone::Softphone;
