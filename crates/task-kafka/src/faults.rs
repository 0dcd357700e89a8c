//! The table of librdkafka's errors: which of them pass, which pass within a time, and which are
//! permanent. Pure.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;

/// What becomes of an error of the consumer, or of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is part of an outage, a rebalance or a change of leaders, and ends with it, however long
    /// that takes.
    Passes,
    /// It may pass, but not for longer than [`Budget`] allows. So are the errors that this table
    /// does not have.
    PassesWithin,
    /// It stays until somebody changes the settings, the brokers or the rights of the user.
    Permanent,
}

impl Fault {
    /// Sorts an error.
    pub(crate) fn of(code: RDKafkaErrorCode) -> Self {
        use RDKafkaErrorCode as Code;
        match code {
            // Local: connections, time-outs, and what librdkafka does about them.
            Code::AllBrokersDown
            | Code::AssignmentLost
            | Code::BrokerDestroy
            | Code::BrokerTransportFailure
            | Code::DestroyBroker
            | Code::InProgress
            | Code::LogTruncation
            | Code::NodeUpdate
            | Code::NoOffset
            | Code::OperationTimedOut
            | Code::PartitionEOF
            | Code::PollExceeded
            | Code::PreviousInProgress
            | Code::Resolve
            | Code::Retry
            | Code::TimedOutQueue
            | Code::UnknownBroker
            | Code::WaitCache
            | Code::WaitingForCoordinator
            // Leaders, coordinators and brokers that move.
            | Code::BrokerNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::EligibleLeadersNotAvailable
            | Code::FencedLeaderEpoch
            | Code::FetchSessionIdNotFound
            | Code::InvalidFetchSessionEpoch
            | Code::KafkaStorageError
            | Code::LeaderNotAvailable
            | Code::NetworkException
            | Code::NotController
            | Code::NotCoordinator
            | Code::NotEnoughReplicas
            | Code::NotEnoughReplicasAfterAppend
            | Code::NotLeaderForPartition
            | Code::OffsetNotAvailable
            | Code::PreferredLeaderNotAvailable
            | Code::ReassignmentInProgress
            | Code::RebootstrapRequired
            | Code::ReplicaNotAvailable
            | Code::RequestTimedOut
            | Code::StaleBrokerEpoch
            | Code::ThrottlingQuotaExceeded
            | Code::UnknownLeaderEpoch
            | Code::UnstableOffsetCommit
            // The group changes, and the member joins again.
            | Code::FencedMemberEpoch
            | Code::IllegalGeneration
            | Code::MemberIdRequired
            | Code::RebalanceInProgress
            | Code::StaleMemberEpoch
            | Code::UnknownMemberId
            | Code::UnreleasedInstanceId
            // A topic that does not exist yet, or was deleted and is created again. An offset that
            // the brokers do not have any more is reset by the settings.
            | Code::OffsetOutOfRange
            | Code::UnknownPartition
            | Code::UnknownTopic
            | Code::UnknownTopicId
            | Code::UnknownTopicOrPartition => Self::Passes,

            Code::Authentication
            | Code::ClusterAuthorizationFailed
            | Code::DelegationTokenAuthDisabled
            | Code::DelegationTokenAuthorizationFailed
            | Code::DelegationTokenExpired
            | Code::DelegationTokenNotFound
            | Code::GroupAuthorizationFailed
            | Code::SaslAuthenticationFailed
            | Code::SecurityDisabled
            | Code::TopicAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::UnacceptableCredential
            | Code::UnsupportedSASLMechanism
            // Another instance has taken the place of this one.
            | Code::Fenced
            | Code::FencedInstanceId
            | Code::InvalidProducerEpoch
            | Code::ProducerFenced
            // `auto.offset.reset=error`: librdkafka does not read the partition any more.
            | Code::AutoOffsetReset
            | Code::Fatal
            // What the client or the brokers cannot do: a codec that is not built in, say.
            | Code::InvalidCommitOffsetSize
            | Code::InvalidConfig
            | Code::InvalidGroupId
            | Code::InvalidSessionTimeout
            | Code::InvalidTopic
            | Code::NotImplemented
            | Code::OffsetMetadataTooLarge
            | Code::PolicyViolation
            | Code::UnknownProtocol
            | Code::UnsupportedAssignor
            | Code::UnsupportedCompressionType
            | Code::UnsupportedFeature
            | Code::UnsupportedVersion => Self::Permanent,

            // A group that is full, or whose members do not have a common protocol, may change:
            // during a rolling update, say.
            _ => Self::PassesWithin,
        }
    }
}

/// How long errors that [pass within a time](Fault::PassesWithin) have lasted.
///
/// They last from the first one on, until something moves, or no other one comes for longer than
/// the gap.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: Duration,
    gap: Duration,
    /// Whether the caller has looked at what lasts since the last error.
    is_checked: bool,
    /// When the first one came, and the last one.
    lasting: Option<(Instant, Instant)>,
}

impl Budget {
    /// For errors of which each attempt has one, or moves something, however rare attempts are.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, gap: Duration::MAX, is_checked: false, lasting: None }
    }

    /// For errors that may pass without anything that moves: none for the limit has passed.
    pub(crate) fn with_gap(limit: Duration) -> Self {
        Self { limit, gap: limit, is_checked: false, lasting: None }
    }

    /// Notes that something has moved: no error lasts.
    pub(crate) fn moved(&mut self) {
        self.lasting = None;
    }

    /// Notes an error, and returns whether the limit has passed since the first one.
    pub(crate) fn is_spent_by(&mut self, now: Instant) -> bool {
        let first = match self.lasting {
            Some((first, last)) if now.saturating_duration_since(last) <= self.gap => first,
            _ => now,
        };
        self.lasting = Some((first, now));
        self.is_checked = false;
        now.saturating_duration_since(first) >= self.limit
    }

    /// Returns when the limit will have passed since the first error that lasts, unless that was
    /// [checked](Self::checked).
    pub(crate) fn spent_at(&self) -> Option<Instant> {
        self.lasting.filter(|_| !self.is_checked).map(|(first, _)| first + self.limit)
    }

    /// Notes that the caller has looked at what lasts, and goes on. The time of the first error
    /// stays: the next one spends the budget, unless it comes after the gap.
    pub(crate) fn checked(&mut self) {
        self.is_checked = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_is_sorted() {
        use RDKafkaErrorCode as Code;
        for (fault, codes) in [
            (Fault::Passes, [Code::AllBrokersDown, Code::CoordinatorLoadInProgress]),
            (Fault::Passes, [Code::RebalanceInProgress, Code::UnknownTopicOrPartition]),
            (Fault::PassesWithin, [Code::GroupMaxSizeReached, Code::InconsistentGroupProtocol]),
            (Fault::PassesWithin, [Code::Unknown, Code::BadCompression]),
            (Fault::Permanent, [Code::GroupAuthorizationFailed, Code::AutoOffsetReset]),
            (Fault::Permanent, [Code::NotImplemented, Code::FencedInstanceId]),
        ] {
            assert_eq!(codes.map(Fault::of), [fault; 2], "{codes:?}");
        }
    }

    #[test]
    fn errors_that_last_for_the_limit_spend_the_budget() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let mut budget = Budget::with_gap(Duration::from_secs(30));
        assert_eq!(budget.spent_at(), None);
        assert!(!budget.is_spent_by(at(0)));
        assert!(!budget.is_spent_by(at(29)));
        assert_eq!(budget.spent_at(), Some(at(30)));
        assert!(budget.is_spent_by(at(30)));
        budget.moved();
        assert_eq!(budget.spent_at(), None);
        assert!(!budget.is_spent_by(at(31)), "the first since something moved");
        assert!(!budget.is_spent_by(at(100)), "the one before has passed");
        assert!(budget.is_spent_by(at(130)));

        let mut budget = Budget::with_gap(Duration::from_secs(30));
        assert!(!budget.is_spent_by(at(0)));
        assert!(!budget.is_spent_by(at(20)));
        budget.checked();
        assert_eq!(budget.spent_at(), None, "one check is enough");
        assert!(budget.is_spent_by(at(40)), "the errors go on");
        budget.checked();
        assert!(!budget.is_spent_by(at(71)), "they have passed");
        assert_eq!(budget.spent_at(), Some(at(101)));

        let mut budget = Budget::new(Duration::from_secs(30));
        assert!(!budget.is_spent_by(at(0)));
        assert!(budget.is_spent_by(at(100)), "no attempt between has moved anything");
    }
}
