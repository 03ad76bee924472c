"""The switches of the simulator: where hosts differ, and where the platform's documentation is silent or contradicts itself."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Wording(StrEnum):
    """The two descriptions of what becomes of a number that crmCalls is given again.

    A: it is ignored, whatever else the request says, with no limit of time; the id of the first call job comes back.
    B: same number and same payload within 24 hours, counted from the first request; the cells of its table are below.
    """

    A = "A"
    B = "B"


class Undocumented(StrEnum):
    """What a cell does that no page describes."""

    ERROR = "error"
    OLD_ID = "old_id"
    NEW_JOB = "new_job"


class Spelling(StrEnum):
    """Whose words: the OpenAPI document (``inProgress``, ``cancelledByUser``) or the help pages (``inProcess``, ``canceled``)."""

    OPENAPI = "openapi"
    HELP = "help"


class IdForm(StrEnum):
    """How a single id is answered: ``"123"``, ``123`` as plain text, ``123`` as JSON, ``["123"]``."""

    QUOTED = "quoted"
    BARE = "bare"
    NUMBER = "number"
    ARRAY = "array"


class Params(StrEnum):
    """Where ``POST crmCalls/addPhone`` is read from: the help page says the URL, the OpenAPI document a form body."""

    FORM = "form"
    QUERY = "query"
    BOTH = "both"


class KeyOnGet(StrEnum):
    """Where a GET's idempotence key is read from. Read from the header alone, one in the query is payload."""

    HEADER = "header"
    QUERY = "query"
    BOTH = "both"


class CancelFinished(StrEnum):
    """What a cancel does with a call job that is finished or cancelled already."""

    SKIP = "skip"
    RETURN = "return"
    ERROR = "error"


class Settings(BaseModel):
    """How this simulator behaves. The defaults are the likeliest reading of the documentation.

    ``different_keys`` and ``one_key`` are about the same number and payload again within 24 hours, sent with another
    key, or with a key on one side only; ``same_key_later`` about the same key after 24 hours. ``remember_errors`` replays
    a refusal, too, to a key that comes again. Tokens in ``bad_tokens``, and all that start with ``bad``, have no campaign.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    duplicate_wording: Wording = Wording.B
    different_keys: Undocumented = Undocumented.ERROR
    one_key: Undocumented = Undocumented.ERROR
    same_key_later: Undocumented = Undocumented.NEW_JOB
    remember_errors: bool = False
    phones_duplicates: bool = True
    cancel_finished: CancelFinished = CancelFinished.SKIP
    spelling: Spelling = Spelling.OPENAPI
    id_form: IdForm = IdForm.QUOTED
    params: Params = Params.FORM
    key_on_get: KeyOnGet = KeyOnGet.BOTH
    bad_tokens: frozenset[str] = frozenset()
