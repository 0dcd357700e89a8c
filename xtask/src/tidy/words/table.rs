//! The words that are not used here, and what to say instead. The one file that may contain them.

/// A word or a phrase, and its replacement. `a|b` stands for either.
#[rustfmt::skip]
pub(crate) const WORDS: &[(&str, &str)] = &[
    ("news", "`event`"),
    ("tell|tells|told|telling", "`notify`, `record`, `log`, `return`, or `ask` for a request"),
    ("put|puts|putting off", "`deferred`"),
    ("hurry|hurries|hurried|hurrying", "`escalation`, `escalated`"),
    ("give|gives|gave|given|giving up", "`abandoned`"),
    ("group|groups|manager|managers around", "`outer group`"),
    ("one around it", "`outer group`"),
    ("group|groups|manager|managers inside", "`nested group`"),
    ("trouble|troubles", "`failure`, `nested failures`"),
    ("courier|couriers", "`offload thread`"),
    ("parcel|parcels", "what it holds: wakers, aborts"),
    ("whereabouts", "`runtime`, own or other"),
    ("desk|desks", "`shared`; `desktop` for a screen"),
    ("crew|crews", "`threads`"),
    ("teller|tellers", "`logger`"),
    ("voice|voices", "`logger`"),
    ("errand|errands", "`job`"),
    ("fn|mod leave", "`force_exit`"),
    ("last words|deeds", "what is written or times out, as in `final log lines`"),
    ("breath|patience", "what times out, as in `log_timeout`"),
    ("yet to", "`not yet`, `pending`"),
    ("what lets", "the thing itself, as in `ingress`"),
    ("nobody is in charge", "`there is no supervisor task`"),
    ("whoever|whomever", "the subject: `the thread`, `the task`, `the caller`"),
    ("the truth", "`complete`, `accurate`"),
    ("says whether", "`Whether`, `Sets whether`, `Returns whether`"),
    ("how many th", "`ordinal`"),
    ("gives way", "`the other takes precedence`"),
    ("used up its turn", "`cooperative budget`"),
    ("of one's own", "the owner, or `separate`"),
];

/// Where such a word has its plain sense. `*` stands for up to six words of the same clause.
pub(crate) const ALLOWED: &[&str] =
    &["tell|tells|told|telling apart", "tell|tells|told|telling * apart"];
