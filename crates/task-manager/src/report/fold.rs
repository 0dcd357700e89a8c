//! Failures in the order in which the texts have them, those of which the same is said as one.

use super::failure::NOT_REACHED;
use super::{Activity, DeadlineKind, Failure, FailureKind, FailureOrigin, Repeated, sort_by_key};

/// How many names of a fold are shown.
const MOST_NAMES: usize = 3;

/// Failures of one origin of which the same is said.
pub(crate) struct Fold<'a> {
    /// Those of several tasks or of one, in the order in which they happened.
    pub(super) failures: Vec<&'a Failure>,
    origin: FailureOrigin,
    predicate: String,
    error: String,
    rank: Rank,
}

/// Which failures the texts have first: what went wrong by itself, then what held the shutdown up,
/// and then what followed from either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// An error, a panic, a start that took too long.
    Error,
    /// Abandoned while it held a thread.
    Blocking,
    Abandoned,
    Aborted,
    /// An error or a panic that the task survived, maybe long ago.
    Survived,
    /// Something else had taken its time, its thread or its runtime.
    Victim,
}

impl Rank {
    fn of(kind: &FailureKind) -> Self {
        match kind {
            FailureKind::Error(_)
            | FailureKind::Panic(_)
            | FailureKind::EndedUnasked
            | FailureKind::NotReady { .. } => Self::Error,
            FailureKind::Abandoned { activity: Activity::NotReached, .. } => Self::Victim,
            FailureKind::Abandoned { activity, .. } if activity.holds_thread() => Self::Blocking,
            FailureKind::Abandoned { .. } => Self::Abandoned,
            FailureKind::Aborted { deadline } => match deadline.kind {
                DeadlineKind::NoTimeLeft { .. } => Self::Victim,
                DeadlineKind::Phase(_)
                | DeadlineKind::PhaseTimeout(_)
                | DeadlineKind::StopTimeout
                | DeadlineKind::Requested
                | DeadlineKind::Escalation
                | DeadlineKind::Cleanup => Self::Aborted,
            },
            FailureKind::Survived(_) | FailureKind::SurvivedPanic(_) => Self::Survived,
            FailureKind::RuntimeGone | FailureKind::NotRun { .. } => Self::Victim,
        }
    }
}

/// Folds failures. There are at most 128, so a search of what there is already costs little.
pub(crate) fn fold(failures: &[Failure]) -> Vec<Fold<'_>> {
    let mut folds = Vec::<Fold<'_>>::new();
    for failure in failures {
        let (origin, rank) = (failure.origin, Rank::of(&failure.kind));
        let (predicate, error) = (failure.kind.common_predicate(), failure.kind.error_text());
        let is_same = |fold: &&mut Fold<'_>| {
            (fold.origin, fold.rank) == (origin, rank)
                && fold.predicate == predicate
                && fold.error == error
        };
        match folds.iter_mut().find(is_same) {
            Some(fold) => fold.failures.push(failure),
            None => folds.push(Fold { failures: vec![failure], origin, predicate, error, rank }),
        }
    }
    // In the order in which they happened otherwise.
    sort_by_key(&mut folds, |fold| fold.rank as u128);
    folds
}

impl Fold<'_> {
    /// Returns the failure, if it is but one.
    pub(super) fn single(&self) -> Option<&Failure> {
        match &self.failures[..] {
            [failure] => Some(failure),
            _ => None,
        }
    }

    /// Returns the names of what failed, each once.
    fn labels(&self, repeated: &Repeated) -> Vec<String> {
        let mut labels = Vec::new();
        for failure in &self.failures {
            let label = repeated.label(&failure.name, failure.id);
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        labels
    }

    /// Returns what failed, for a list in which that is all there is room for.
    pub(crate) fn subject(&self, repeated: &Repeated) -> String {
        let Some(first) = self.failures.first() else { return String::new() };
        match self.labels(repeated).len() {
            0 | 1 => first.subject(repeated),
            count => format!("{count} {}", self.nouns()),
        }
    }

    /// Returns whether it was waited for in vain, and for no other's sake.
    pub(super) fn is_stuck(&self) -> bool {
        matches!(self.rank, Rank::Blocking | Rank::Abandoned | Rank::Aborted)
    }

    /// Returns what failed, by name as far as there is room.
    pub(super) fn named(&self, repeated: &Repeated) -> String {
        let labels = self.labels(repeated);
        match (labels.len(), self.failures.first()) {
            (0 | 1, Some(first)) => first.subject(repeated),
            (count, _) => format!("{count} {} ({})", self.nouns(), shown(&labels)),
        }
    }

    /// Returns what failed, what happened and, of several, to which and how often, as one line.
    pub(crate) fn text(&self, repeated: &Repeated) -> String {
        let Some(first) = self.failures.first() else { return String::new() };
        if let Some(single) = self.single() {
            return single.text(repeated);
        }
        let (labels, times) = (self.labels(repeated), self.failures.len());
        let (predicate, error) = (&self.predicate, &self.error);
        if labels.len() == 1 {
            return format!("{} {predicate}{error} ({times} times)", first.subject(repeated));
        }
        let (count, nouns) = (labels.len(), self.nouns());
        let subject = match first.kind {
            FailureKind::Error(_) | FailureKind::Survived(_) | FailureKind::Panic(_) => {
                format!("{count} {nouns}")
            }
            _ => format!("each of {count} {nouns}"),
        };
        let times = if times > count { format!("; {times} times in all") } else { String::new() };
        format!("{subject} {predicate}{error} ({}{times})", shown(&labels))
    }

    fn nouns(&self) -> &'static str {
        match self.origin {
            FailureOrigin::Task => "tasks",
            FailureOrigin::Cleanup => "cleanups",
            FailureOrigin::Setup => "setups",
            FailureOrigin::Start => "starts",
        }
    }
}

/// Returns the first names, and how many more there are.
fn shown(labels: &[String]) -> String {
    let shown: Vec<_> = labels.iter().take(MOST_NAMES).map(|label| format!("`{label}`")).collect();
    let more = match labels.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    shown.join(", ") + &more
}

/// Says what blocked the runtime, if anything waited for it in vain: what held a thread when it was
/// abandoned, as far as that is known.
pub(crate) fn blocked(failures: &[Failure], repeated: &Repeated) -> Option<String> {
    let is_victim = |failure: &&Failure| match &failure.kind {
        FailureKind::Abandoned { activity, .. } => *activity == Activity::NotReached,
        FailureKind::NotRun { reason } => *reason == NOT_REACHED,
        _ => false,
    };
    let is_blocking = |failure: &&Failure| match &failure.kind {
        FailureKind::Abandoned { activity, .. } => activity.holds_thread(),
        _ => false,
    };
    let victims = failures.iter().filter(is_victim).count();
    if victims == 0 {
        return None;
    }
    let mut blocking = failures.iter().filter(is_blocking);
    let shown: Vec<_> =
        blocking.by_ref().take(MOST_NAMES).map(|failure| failure.subject(repeated)).collect();
    let more = match blocking.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let nouns = if victims == 1 { "task or cleanup" } else { "tasks or cleanups" };
    let missed = format!("did not get to {victims} {nouns}");
    Some(match shown.is_empty() {
        true => format!("the runtime {missed}; what blocked it is not known"),
        false => format!("the runtime was blocked by: {}{more}; it {missed}", shown.join(", ")),
    })
}
