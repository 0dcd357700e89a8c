//! A register in a row of PostgreSQL, with the fence of what its leader writes.

use std::{fmt, time::Duration};

use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, Row as _,
    postgres::{PgConnectOptions, PgRow},
    raw_sql,
};
use tokio::time::timeout;

use crate::{LeaderError, Record, Register, RegisterError, Times, Version, Written, error::Kind};

/// The table, unless another one is named.
const TABLE: &str = "task_lead";
/// The longest name of a table or a schema, in bytes: PostgreSQL cuts off what is longer.
const LONGEST_IDENTIFIER: usize = 63;
/// How long the creation of the table may take.
const CREATE_TIME: Duration = Duration::from_secs(10);

/// A register in a row of PostgreSQL. Requires the feature `postgres`, which needs Rust 1.94.
///
/// A row and not an advisory lock: that has no bound in time and no term, is lost or left behind by
/// a pooler, and stays with a client that is stopped or whose machine is gone.
///
/// # The table
///
/// All locks of a database share one table, `task_lead` on the search path, unless
/// [`in_table`](Self::in_table) names another. [`create_table`](Self::create_table) makes it, or a
/// migration:
///
/// ```sql
/// create table task_lead (
///     name text primary key,    -- of the lock
///     holder text,              -- the identity of the leader; null: it has released the lease
///     term bigint not null,
///     renewals bigint not null,
///     lease_ms bigint not null
/// )
/// ```
///
/// The role needs `select`, `insert` and `update` on it. The first leader makes the row; it is
/// never deleted. Terms are microseconds since 1970, by the clock of the server, or one more than
/// the last, if that is more: they grow also if the row was deleted, or the database restored. No
/// other clock counts, and that one only for the number.
///
/// # The fence
///
/// [`guard_sql`](Self::guard_sql) returns a predicate with which a statement in the *same database*
/// changes nothing once another replica leads.
///
/// After a failover to a standby that lacks the last writes, the row is an older one, and two
/// replicas may lead until the former leader has read it. "At most one term" holds over failovers
/// only with a synchronous standby.
///
/// # Connections
///
/// Each replica has a connection of its own, made when it is needed, dropped after an error or an
/// attempt that took too long, and made again. It is not of a pool, which would have none to give
/// in just the moment in which it matters. Each attempt is one request in the simple protocol, in a
/// transaction that limits its own time (`statement_timeout`), and leaves nothing in the session,
/// for a pooler between it and the server. A connection has to be made within one attempt, the
/// retry or half the deadline, if that is less: 2 s by default. The connection is
/// encrypted as the options say, for which a TLS feature of `sqlx` has to be turned on in the
/// manifest of the service.
///
/// Followers read the row once per retry. A renewal updates it, which leaves a dead row behind: 43
/// thousand a day with the default retry of 2 s, for autovacuum. Put no further index on it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sqlx::{AssertSqlSafe, PgPool, postgres::PgConnectOptions};
/// use task_core::Context;
/// use task_leader::{LeaderError, Leading, RowLock, Term, leading};
/// use tokio::time::sleep;
///
/// fn purge(options: PgConnectOptions, pool: PgPool) -> Result<Leading<RowLock>, LeaderError> {
///     let lock = RowLock::new(options, "purge")?;
///     let fence = lock.clone();
///     Ok(leading("purge", lock, move |term: Term, ctx: Context| {
///         let (pool, guard) = (pool.clone(), fence.guard_sql(term.number()));
///         async move {
///             let old = "placed_at < now() - interval '30 days'";
///             let delete = format!("delete from orders where {old} and {guard}");
///             while ctx.or_cancelled(sleep(Duration::from_secs(60))).await.is_ok() {
///                 // Deletes nothing if another replica leads.
///                 sqlx::query(AssertSqlSafe(delete.as_str())).execute(&pool).await?;
///             }
///             Ok(())
///         }
///     }))
/// }
/// ```
pub struct RowLock {
    options: PgConnectOptions,
    name: String,
    /// The table as it stands in a statement.
    table: String,
    limit: Duration,
    /// Taken for each call, and put back if that has succeeded.
    connection: Option<PgConnection>,
}

impl RowLock {
    /// Creates the access to the row of that name. It connects when the task runs.
    ///
    /// # Errors
    ///
    /// Fails if the name is empty or has a NUL.
    pub fn new(options: PgConnectOptions, name: impl Into<String>) -> Result<Self, LeaderError> {
        Self::in_table(options, TABLE, name)
    }

    /// Creates the access to a row of another table, such as `"task_lead"` or `"ops.task_lead"`.
    ///
    /// # Errors
    ///
    /// Fails if the name is empty or has a NUL, or if a part of the table's name is not of at most
    /// 63 lower-case letters, digits and underscores.
    pub fn in_table(
        options: PgConnectOptions,
        table: &str,
        name: impl Into<String>,
    ) -> Result<Self, LeaderError> {
        let name = name.into();
        if name.is_empty() || name.contains('\0') {
            return Err(Kind::LockName(name).into());
        }
        let is_plain = |char: u8| matches!(char, b'a'..=b'z' | b'0'..=b'9' | b'_');
        let is_identifier = |part: &str| {
            (1..=LONGEST_IDENTIFIER).contains(&part.len()) && part.bytes().all(is_plain)
        };
        let parts: Vec<&str> = table.split('.').collect();
        if parts.len() > 2 || !parts.iter().all(|part| is_identifier(part)) {
            return Err(Kind::Table(table.to_owned()).into());
        }
        let table = format!("\"{}\"", parts.join("\".\""));
        let limit = Times::default().attempt();
        // Not asked for, as some poolers refuse it.
        let options = options.extra_float_digits(None);
        Ok(Self { options, name, table, limit, connection: None })
    }

    /// Creates the table if it is not there. Several replicas may do so at once.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be reached within 10 s, or if the table is not there and the
    /// role has no right to create it.
    pub async fn create_table(&self) -> Result<(), RegisterError> {
        let table = &self.table;
        let text = literal(table);
        let create = async {
            let mut connection = PgConnection::connect_with(&self.options).await?;
            let find = format!("select 1 where to_regclass({text}) is not null");
            if !raw_sql(AssertSqlSafe(find)).fetch_all(&mut connection).await?.is_empty() {
                return Ok(()); // without the right to create tables, which a service need not have
            }
            // Two that create it at once, without the lock, would both find that it is not there.
            let create = format!(
                "select pg_advisory_xact_lock(hashtext({text})); \
                 create table if not exists {table} (name text primary key, holder text, \
                 term bigint not null, renewals bigint not null, lease_ms bigint not null)"
            );
            raw_sql(AssertSqlSafe(create)).execute(&mut connection).await?;
            connection.close().await
        };
        let created = match timeout(CREATE_TIME, create).await {
            Ok(created) => created,
            Err(late) => Err(sqlx::Error::Io(late.into())),
        };
        created.map_err(|error: sqlx::Error| {
            RegisterError::because(format!("cannot create table {table}"), error)
        })
    }

    /// Returns a predicate for the `where` of a statement of the term of that number
    /// ([`Term::number`](crate::Term::number)): true as long as no higher term has begun, and false
    /// from then on, so that the statement affects no row.
    ///
    /// It locks the row of the lease (`for share`) until the transaction ends: until then no other
    /// term *can* begin, which makes it a guarantee. A renewal waits as well: transactions with it
    /// that together, one begun before the other ends, take longer than [`Times::deadline`] less a
    /// retry cost the lead. Keep them short, and let few run at once. The role that uses it needs
    /// `select` and `update` on the table. Where no row may
    /// also mean that there was nothing to do, make it the first statement of a transaction,
    /// `select 1 where …`, and go on if it returns a row: it then holds for the whole transaction.
    ///
    /// In a transaction that is `repeatable read` or `serializable`, a row that has changed since
    /// its snapshot is an error of serialization.
    ///
    /// The table is found by the search path of the connection that it is used on. The predicate
    /// has no parameters, and is the same text throughout a term.
    pub fn guard_sql(&self, term: u64) -> String {
        let (table, name, term) = (&self.table, literal(&self.name), number(term));
        format!("exists (select from {table} where name = {name} and term = {term} for share)")
    }

    /// Sends one request, which is a transaction, and returns its rows.
    async fn request(&mut self, sql: &str) -> Result<Vec<PgRow>, RegisterError> {
        let failed = |error: sqlx::Error| {
            RegisterError::because(
                format!("cannot use row `{}` of {}", self.name, self.table),
                error,
            )
        };
        let limit = self.limit.as_millis().max(1);
        let sql = format!("set local statement_timeout = {limit}; {sql}");
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => PgConnection::connect_with(&self.options).await.map_err(failed)?,
        };
        let rows = raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection).await.map_err(failed)?;
        self.connection = Some(connection);
        Ok(rows)
    }
}

impl Register for RowLock {
    async fn read(&mut self) -> Result<Option<(Record, Version)>, RegisterError> {
        let sql = format!(
            "select holder, term, renewals, lease_ms from {} where name = {}",
            self.table,
            literal(&self.name)
        );
        let rows = self.request(&sql).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let record = record(row).map_err(|error| {
            RegisterError::because(
                format!("row `{}` of {} is no record", self.name, self.table),
                error,
            )
        })?;
        let version = Version::of(&record);
        Ok(Some((record, version)))
    }

    async fn write(
        &mut self,
        new: &Record,
        old: Option<&Version>,
    ) -> Result<Written, RegisterError> {
        const MICROS: &str = "(extract(epoch from clock_timestamp()) * 1000000)::bigint";
        let table = &self.table;
        let name = literal(&self.name);
        let holder = new.holder.as_deref().map_or_else(|| "null".to_owned(), literal);
        let (term, renewals) = (number(new.term), number(new.renewals));
        let lease = new.lease.as_millis();
        let sql = match old {
            None => format!(
                "insert into {table} (name, holder, term, renewals, lease_ms) values \
                 ({name}, {holder}, greatest({term}, {MICROS}), {renewals}, {lease}) \
                 on conflict do nothing returning term"
            ),
            Some(old) => {
                let Some((old_term, old_renewals)) = parts(old) else {
                    return Ok(Written::Changed); // not a version of this register
                };
                // Two leaders of one term would both pass the fence.
                if new.term > old_term && number(new.term) == number(old_term) {
                    return Err(RegisterError::new(format!(
                        "row `{}` of {table} has the highest term there is",
                        self.name
                    )));
                }
                format!(
                    "update {table} set holder = {holder}, renewals = {renewals}, \
                     lease_ms = {lease}, term = case when term = {term} then term \
                     else greatest({term}, {MICROS}) end \
                     where name = {name} and term = {old_term} and renewals = {old_renewals} \
                     returning term"
                )
            }
        };
        let rows = self.request(&sql).await?;
        let Some(row) = rows.first() else { return Ok(Written::Changed) };
        let term = row.try_get::<i64, _>("term").ok().and_then(|term| u64::try_from(term).ok());
        let Some(term) = term else {
            return Err(RegisterError::new(format!("row `{}` has no valid term", self.name)));
        };
        let version = Version::of(&Record { term, ..new.clone() });
        Ok(Written::Ok { version, term })
    }

    fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }
}

impl Clone for RowLock {
    /// Returns another access to the same row, with a connection of its own.
    fn clone(&self) -> Self {
        let Self { options, name, table, limit, connection: _ } = self;
        let (options, name, table) = (options.clone(), name.clone(), table.clone());
        Self { options, name, table, limit: *limit, connection: None }
    }
}

impl fmt::Debug for RowLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the options, which have a password.
        let mut debug = f.debug_struct("RowLock");
        debug.field("name", &self.name).field("table", &self.table).finish_non_exhaustive()
    }
}

fn record(row: &PgRow) -> Result<Record, sqlx::Error> {
    let number = |column: &str| {
        let number: i64 = row.try_get(column)?;
        u64::try_from(number).map_err(|error| sqlx::Error::ColumnDecode {
            index: column.to_owned(),
            source: error.into(),
        })
    };
    Ok(Record {
        holder: row.try_get("holder")?,
        term: number("term")?,
        renewals: number("renewals")?,
        lease: Duration::from_millis(number("lease_ms")?),
    })
}

/// Returns the term and the renewals that make a version.
fn parts(version: &Version) -> Option<(u64, u64)> {
    let (term, renewals) = version.as_str().split_once('.')?;
    Some((term.parse().ok()?, renewals.parse().ok()?))
}

/// Returns a number as it fits into a column.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Returns a text as a literal, whatever is in it and however the server reads backslashes. A NUL,
/// which no text of PostgreSQL can have, becomes a space.
fn literal(text: &str) -> String {
    let mut literal = String::from(if text.contains('\\') { " E'" } else { "'" });
    for char in text.chars() {
        match char {
            '\'' => literal.push_str("''"),
            '\\' => literal.push_str("\\\\"),
            '\0' => literal.push(' '),
            char => literal.push(char),
        }
    }
    literal.push('\'');
    literal
}
