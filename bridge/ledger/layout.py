"""How the ledger lies in Redis. Every key name is spelled here and in the scripts' first lines, and nowhere else.

All keys begin with ``callbridge:`` and a layout number, so that an old and a new version can be told apart on one
Redis: a change that an older version would misread gets a new number and a migration.

    event:<key>              hash    one event: status, reason, document, decision, request, attempts, lease
    seen:<claim>             string  what stops redeliveries: the key of the event that was first, empty where the claim is its key; lives
                                     for retention.dedup, longer than an ignored event, or for the event's own window. The claim is the
                                     event's key, but for the time of receipt that tells events with a window apart
    delivery:<id>            string  one HTTP request as received, secrets removed: what a replay starts from; packed
    due:first, due:normal,
    due:last                 zset    every unfinished event, scored by when somebody must look at it next (ms)
    ref:<ref>                zset    the events that share a ref, by when they were last touched; a ref of a CRM record is
                                     qualified by its source, a phone is the same person everywhere
    lease:<ref>              string  the one event that may be attempted for this ref now
    mark:<ref>               hash    stop marks: campaign (or *) → "<fact's time ms> <event key>", with a + behind
                                     the time where that event goes on to call
    alias:<ref>              string  the ref of the record that this one was merged into
    wants:<ref>              set     the events that wait for a phone number of this record
    do-not-call              zset    the numbers that must not be called, by when they were added (ms)
    do-not-call:<phone>      hash    campaign (or *) → why (JSON: source, note, added, until)
    fact:<digest>            string  the event that acted on this fact
    called:<campaign>:<phone> string "<ms> <event key>" of the last call, for cooldowns
    pace:<name>              string  when the next request may go (ms): campaigns' and CRMs' rate limits
    hold:<name>              string  until when (ms) a campaign is left alone because the platform asked for it, or does not answer
    breaker:<campaign>       hash    failures in a row; open: since when (ms) it is left alone, until a read shows that it answers again
    probing:<campaign>       string  the event that asks for it now
    refused:<source>         list    the last refused requests; refused:count:<source> hash: how many, by reason
    tokens:<source>          string  the access token of a CRM whose tokens expire, and what renews it; sealed
    renewing:<source>        string  the worker that renews it now
    subscribed:<source>      string  there while the CRM's subscription needs no renewing
    pulse                    string  when (ms) a dispatcher was last there: what tells a store that came back older than it was
    restored                 string  when (ms) that was noticed: of events accepted before, it may have forgotten that they were called
    session:<digest>         string  one operator who is logged in (JSON: operator, holder, proof, began, seen), under a digest of the id in
                                     the browser's cookie
    once:<digest>            string  a request that must not be done twice (JSON: request, at; then its answer: status, body), under a digest of
                                     whose it is and its idempotency key
    throttle:…               zset    the wrong tokens of the last minutes, by address and of everybody; named and kept by `limits`
    wake                     list    one element when something became due: the dispatcher's alarm
    by:<term>                zset    the events that a term leads to, by when they were accepted (ms); bridge/terms.py says which those are,
                                     and by:status:<status> is kept beside them
    words                    zset    every word of a by:word:<word>, for words that are only begun
    causes                   hash    what reasons of one kind have in common, by the value of by:cause:<digest>
    ends                     zset    finished events, by when they are forgotten (ms)
    types                    set     the kinds of CRM records there were events of, as <source>/<type>
    sources                  hash    when (ms) a source was last heard of
    issues                   zset    failures of one kind, by when the last was seen (ms); issue:<fingerprint> hash: what is known of them
    totals                   hash    counters that only grow, by <what>|<label>|…
    history:<step>           zset    what the totals and the present state were, every so often (ms), JSON
    paused                   hash    what somebody paused (*, campaign:<name>, source:<name>) → who, when and why (JSON)
    asks                     list    what somebody wants done at the platform now; answer:<id> string: what came of it
    alerting                 string  the supervisor that tells receivers of alerts
    alerts:<receiver>        hash    what a receiver knows, by the alert's key; alerts:out:<receiver> list: what it is still to be told;
                                     alerts:line:<receiver> hash: failures in a row, again: when it is tried again (ms), beat: its last heartbeat
    audit                    stream  who did what; audit:<target> list: the same, of one event, person, campaign, …
    plans                    zset    replays of many, by when they were planned (ms)
    plans:active             set     those of them that somebody has to look after
    plan:<id>                hash    one of them; see bridge/ledger/plans.py
    plan:<id>:keys           zset    the events that it is about, in the order in which they are replayed: by when they were accepted (ms), what
                                     may stop calls before all others (less 10^13); there while it may still run
    plan:<id>:before         zset    the same, of a plan that is sorted again
    plan:<id>:counts         hash    "<effect> <kind>" → how many events would come to that
    plan:<id>:examples       hash    the same → the first few of them (JSON)
    plan:<id>:taken          hash    what those counted so far would do to the others: facts told, numbers called, stop marks; only while it is
                                     counted
    plan:<id>:causes         hash    skipped|<cause> and failed|<cause> → how many events
    plan:<id>:failed         zset    the events that could not be replayed, by when they were accepted (ms)
    plan:<id>:history        list    who did what to it, and when (JSON)
    plan:<id>:worker         string  who looks after it now

``due:first`` holds what may be a cancel, and what one waits for, and is served before ``due:normal``; ``due:last`` holds calls that are
replayed, and is served when nothing else is due.
An event's hash, by field:

    status reason            the contract's words, and one sentence
    forget                   there when the person asked to be forgotten
    document fact window     the event document, the fact key, and for how long it counts (ms) where that is not retention.dedup
    rule trace               which rule matched, and one line per rule tried (JSON)
    refs lane delivery       all refs as qualified here (JSON), which due set, which delivery
    accepted                 ms
    owner until was          the lease (worker, ms), and the status it was taken in
    crashes fell             how often a worker died holding it, and which one was the last
    request open asked       the bound request (JSON), whether an answer to it is owed, and since when
    tried tries              when it was sent last, and how often it was
    held                     what is reserved for its call: fact, cooldown, and who had the cooldown before (JSON)
    since                    when its present trouble began (ms): a platform or a CRM that does not answer as it should
    sure                     there when the platform was asked whether a call was made that the ledger may have forgotten
    slot                     the turn it was given by the campaign's rate limit (ms)
    planned                  when it is, or was, to be called (ms), where it waited for its call hours
    jobs campaign            call job ids (JSON), and where
    cancels                  the call jobs a cancel is about, in the order they were found, with what came of each (JSON)
    attempts                 what was tried (JSON, the last 20)
    duplicates               how many redeliveries were turned away
    terms                    what it is found by (JSON)
    ended                    when it was finished (ms)
    packed                   of a finished event, in place of their own fields: document, fact, attempts, request, trace, jobs, cancels
    replay                   the replay of many that had it decided again last
"""

from bridge.model import OPERATOR

LAYOUT = 1
PREFIX = f"callbridge:{LAYOUT}:"
LANES = ("first", "normal", "last")
NUMBERS = range(1, 100)
"""Every layout number that there may ever be."""


def event(key: str) -> str:
    return f"{PREFIX}event:{key}"


def delivery(delivery_id: str) -> str:
    return f"{PREFIX}delivery:{delivery_id}"


def due(lane: str) -> str:
    return f"{PREFIX}due:{lane}"


def due_in(number: int) -> list[str]:
    """The due sets of a ledger of this layout number, which may be another's."""
    return [f"callbridge:{number}:due:{lane}" for lane in LANES]


def ref(qualified: str) -> str:
    return f"{PREFIX}ref:{qualified}"


def mark(qualified: str) -> str:
    return f"{PREFIX}mark:{qualified}"


def pace(name: str) -> str:
    return f"{PREFIX}pace:{name}"


def tokens(source: str) -> str:
    return f"{PREFIX}tokens:{source}"


def renewing(source: str) -> str:
    return f"{PREFIX}renewing:{source}"


def subscribed(source: str) -> str:
    return f"{PREFIX}subscribed:{source}"


def breaker(campaign: str) -> str:
    return f"{PREFIX}breaker:{campaign}"


def refused(source: str) -> str:
    return f"{PREFIX}refused:{source}"


def refused_count(source: str) -> str:
    return f"{PREFIX}refused:count:{source}"


def session(digest: str) -> str:
    return f"{PREFIX}session:{digest}"


def once(digest: str) -> str:
    return f"{PREFIX}once:{digest}"


def unwanted(phone: str) -> str:
    return f"{PREFIX}do-not-call:{phone}"


def by(term: str) -> str:
    return f"{PREFIX}by:{term}"


def issue(fingerprint: str) -> str:
    return f"{PREFIX}issue:{fingerprint}"


def history(step: str) -> str:
    return f"{PREFIX}history:{step}"


def answer(ask_id: str) -> str:
    return f"{PREFIX}answer:{ask_id}"


def alerts_known(receiver: str) -> str:
    return f"{PREFIX}alerts:{receiver}"


def alerts_out(receiver: str) -> str:
    return f"{PREFIX}alerts:out:{receiver}"


def alerts_line(receiver: str) -> str:
    return f"{PREFIX}alerts:line:{receiver}"


def audit(target: str) -> str:
    return f"{PREFIX}audit:{target}"


def plan(plan_id: str, part: str = "") -> str:
    return f"{PREFIX}plan:{plan_id}{f':{part}' if part else ''}"


UNWANTED = f"{PREFIX}do-not-call"
THROTTLE = f"{PREFIX}throttle"
WAKE = f"{PREFIX}wake"
PULSE = f"{PREFIX}pulse"
RESTORED = f"{PREFIX}restored"
WRITABLE = f"{PREFIX}writable"
WORDS = f"{PREFIX}words"
CAUSES = f"{PREFIX}causes"
SOURCES = f"{PREFIX}sources"
TYPES = f"{PREFIX}types"
ISSUES = f"{PREFIX}issues"
TOTALS = f"{PREFIX}totals"
PAUSED = f"{PREFIX}paused"
ASKS = f"{PREFIX}asks"
ALERTING = f"{PREFIX}alerting"
AUDIT = f"{PREFIX}audit"
PLANS = f"{PREFIX}plans"
ACTIVE_PLANS = f"{PREFIX}plans:active"


def qualify(source: str, refs: tuple[str, ...]) -> list[str]:
    """Refs as the ledger knows them: ``deal:5`` of one CRM is not ``deal:5`` of another, a phone is the same everywhere.

    An operator names refs as they are known here.
    """
    if source == OPERATOR:
        return list(refs)
    return [ref if ref.startswith("phone:") else f"{source}/{ref}" for ref in refs]
