//! What a caller is asked, and what he hears when it does not work out.

use crate::call::{Call, End, Outcome};
use crate::control::{Admission, CallEventKind, EndCause, RefusalReason};
use crate::inbox::Input;
use crate::live::CallState;
use crate::prompt::{Prompt, Prompts};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{Instant, timeout};

const TRIES: usize = 3;
/// Longer entries are no account number and no PIN.
const ENTRY_DIGITS_MAX: usize = 24;
/// No prompt is longer.
const PROMPT_MAX: Duration = Duration::from_secs(20);

impl Call {
    fn play(&self, prompts: &[Prompt]) {
        self.caller.leg.play(prompts.iter().map(|prompt| Prompts::built_in().clip(*prompt)).collect());
    }

    /// Plays to the end, whatever is pressed.
    pub(crate) async fn say(&mut self, prompts: &[Prompt]) -> Outcome<()> {
        self.play(prompts);
        let until = Instant::now() + PROMPT_MAX;
        loop {
            match self.next(Some(until)).await? {
                Input::Played | Input::Deadline => return Ok(()),
                _ => {}
            }
        }
    }

    /// Plays until a digit is pressed; `None` when none is within the digit time after the end.
    async fn ask(&mut self, prompts: &[Prompt]) -> Outcome<Option<char>> {
        self.play(prompts);
        let mut until = Instant::now() + if prompts.is_empty() { self.digit_time() } else { PROMPT_MAX };
        loop {
            match self.next(Some(until)).await? {
                Input::Digit(digit) => {
                    self.play(&[]);
                    return Ok(Some(digit));
                }
                Input::Played => until = Instant::now() + self.digit_time(),
                Input::Deadline => return Ok(None),
                _ => {}
            }
        }
    }

    fn digit_time(&self) -> Duration {
        self.shared.config.timing.digit
    }

    /// Digits up to `#`; `*` begins again. `None` when nothing more is pressed, or too much.
    async fn ask_entry(&mut self, prompt: Prompt) -> Outcome<Option<String>> {
        let mut entry = String::new();
        let mut pressed = self.ask(&[prompt]).await?;
        loop {
            match pressed {
                Some('#') => return Ok(Some(entry)),
                Some('*') => entry.clear(),
                Some(digit) if digit.is_ascii_digit() && entry.len() < ENTRY_DIGITS_MAX => entry.push(digit),
                _ => return Ok(None),
            }
            pressed = self.ask(&[]).await?;
        }
    }

    /// Account number and PIN, three tries. The PIN goes to call control and nowhere else.
    pub(crate) async fn identify_by_pin(&mut self) -> Outcome<()> {
        self.set_state(CallState::Identifying);
        for attempt in 0..TRIES {
            if attempt > 0 {
                self.say(&[Prompt::Wrong]).await?;
            }
            let Some(account) = self.ask_entry(Prompt::AskAccount).await? else { continue };
            let Some(pin) = self.ask_entry(Prompt::AskPin).await? else { continue };
            let asked = self.shared.control.identify(self.log.call_id, &account, &pin, self.shared.clock.now());
            match timeout(self.shared.config.timing.control, asked).await {
                Ok(Ok(Admission::Menu { .. })) => {
                    return self.record(CallEventKind::CallerIdentified { by_pin: true }).await;
                }
                Ok(Ok(Admission::AskPin { .. })) => {}
                Ok(Ok(Admission::Refuse { reason: RefusalReason::WrongPin, .. })) if attempt + 1 < TRIES => {}
                Ok(Ok(Admission::Refuse { reason, .. })) => return self.refuse(reason).await,
                Ok(Err(_)) | Err(_) => return self.refuse(RefusalReason::Unavailable).await,
            }
        }
        self.refuse(RefusalReason::WrongPin).await
    }

    /// A digit from 0 to 9, three tries.
    pub(crate) async fn ask_topic(&mut self) -> Outcome<u8> {
        for _ in 0..TRIES {
            match self.ask(&[Prompt::Menu]).await?.map(|digit| digit.to_digit(10)) {
                Some(Some(digit)) => return Ok(digit as u8),
                Some(None) => self.say(&[Prompt::Invalid]).await?,
                None => {}
            }
        }
        self.say(&[Prompt::Goodbye]).await?;
        Err(End::of(EndCause::NoTopicChosen))
    }

    pub(crate) async fn topic_is_invalid(&mut self) -> Outcome<()> {
        self.invalid_topics += 1;
        if self.invalid_topics >= TRIES {
            return self.refuse(RefusalReason::UnknownTopic).await;
        }
        self.say(&[Prompt::Invalid]).await
    }

    /// Says why and ends the call.
    pub(crate) async fn refuse<T>(&mut self, reason: RefusalReason) -> Outcome<T> {
        let prompt = match reason {
            RefusalReason::NoCredit => Prompt::NoCredit,
            RefusalReason::WrongPin | RefusalReason::UnknownCaller => Prompt::Wrong,
            RefusalReason::UnknownTopic => Prompt::Invalid,
            RefusalReason::AtCapacity => Prompt::Busy,
            RefusalReason::UnknownNumber
            | RefusalReason::Suspended
            | RefusalReason::Unavailable
            | RefusalReason::NotOpen
            | RefusalReason::DestinationClosed
            | RefusalReason::NoRoute
            | RefusalReason::LimitReached => Prompt::Unavailable,
        };
        self.say(&[prompt, Prompt::Goodbye]).await?;
        Err(End::of(EndCause::Refused(reason)))
    }

    /// Nobody came to the phone in time.
    pub(crate) async fn nobody_came(&mut self) -> Outcome<Infallible> {
        self.say(&[Prompt::Busy, Prompt::Goodbye]).await?;
        Err(End::of(EndCause::Refused(RefusalReason::Unavailable)))
    }
}
