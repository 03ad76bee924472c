"""Issues, switches, campaigns, the platform, the do-not-call list, sources, history, status, forgetting."""

import json

import pytest
from pydantic import SecretStr

from bridge.model import Status
from bridge.web.api.places import opaque

ALEX = "+12813322575"


@pytest.fixture
def issue(anna, desk):
    desk.end(desk.lead(8), Status.FAILED, "the platform refuses it: phone.bad.format")
    (found,) = anna.get("issues")["items"]
    return found


def test_an_issue_tells_what_fails_and_where_its_events_are(anna, issue):
    assert (issue["source"], issue["count"], issue["failed"], issue["state"], issue["sample"]) == ("zapier", 1, 1, "open", "zapier:lead-8")
    assert anna.get(issue["url"].removeprefix("/api/v1/")) == issue
    assert [each["key"] for each in anna.get(issue["events"].removeprefix("/api/v1/"))["items"]] == ["zapier:lead-8"]
    assert anna.get("issues", state="resolved") == {"items": []}


def test_an_issue_is_called_something_else_by_somebody(anna, desk, issue):
    path = f"issues/{issue['fingerprint']}"

    changed = anna.change("PATCH", path, {"state": "acknowledged"})

    assert (changed["state"], changed["by"]) == ("acknowledged", "anna")
    assert desk.acts() == [("anna", "called the issue acknowledged")]
    assert anna.change("PATCH", path, {"state": "ended"}, 422)["error"]["field"] == "state"
    assert anna.change("PATCH", "issues/nothing", {"state": "open"}, 404)
    assert anna.get("issues/nothing", 404)


@pytest.mark.parametrize("scope", ["*", "campaign:welcome", "source:zapier"])
def test_it_is_paused_and_goes_on(anna, desk, scope):
    paused = anna.change("PUT", f"switches/{scope}", {"note": "until noon"})

    assert (paused["scope"], paused["by"], paused["note"]) == (scope, "anna", "until noon")
    assert anna.get("switches")["items"] == [paused]
    assert anna.get("status")["paused"] == [paused]
    shown = anna.get("sources/zapier" if "source" in scope else "campaigns/welcome")
    assert shown["paused"]["by"] == "anna"
    assert anna.change("DELETE", f"switches/{scope}") == {"scope": scope, "was_paused": True}
    assert anna.change("DELETE", f"switches/{scope}") == {"scope": scope, "was_paused": False}
    assert [what.partition(" ")[0] for _, what in desk.acts()] == ["resumed", "paused"]


@pytest.mark.parametrize("scope", ["campaign:nobody", "source:", "everything", "campaign"])
def test_what_is_not_there_is_not_paused(anna, scope):
    assert anna.change("PUT", f"switches/{scope}", {}, 422)["error"]["field"] == "scope"
    assert anna.get("switches") == {"items": []}


def test_campaigns_are_told_as_the_bridge_knows_them(anna, desk):
    desk.call(desk.lead(7))

    welcome, other = anna.get("campaigns")["items"]

    assert welcome == {"name": "welcome", "url": "/api/v1/campaigns/welcome", "per_second": 5.0, "events": 1, "finished": {"done": 1}}
    assert other["events"] == 0
    assert anna.get("campaigns/nobody", 404)


@pytest.mark.parametrize("action", ["pause", "resume", "stop"])
def test_a_campaign_is_controlled_at_the_platform_by_a_worker(anna, desk, action):
    asked = anna.post(f"campaigns/welcome/{action}", {"note": "too loud"})

    address = asked["url"].removeprefix("/api/v1/")
    assert anna.get(address) == {"id": asked["id"], "answered": False}
    ask = desk.answer(told=f"campaign welcome is {action}d at the platform")
    assert (ask.what, ask.campaign, ask.by) == (action, "welcome", "anna")
    assert anna.get(address) == {"id": asked["id"], "answered": True, "good": True, "told": f"campaign welcome is {action}d at the platform"}
    (act,) = anna.get("history", target="campaign:welcome")["items"]
    assert (act["by"], act["note"]) == ("anna", "too loud")


def test_nothing_else_is_done_to_a_campaign(anna, desk):
    assert anna.post("campaigns/welcome/start", {}, 422)["error"]["field"] == "action"
    assert anna.post("campaigns/nobody/pause", {}, 404)
    assert desk.services.redis.llen("callbridge:1:asks") == 0


def test_the_platform_is_asked_and_what_it_tells_is_masked(anna, desk):
    asked = anna.post("asks", {"what": "job_report", "campaign": "welcome", "phones": [ALEX]})
    ask = desk.answer(data=[{"id": "5665336653", "phone": "12813322575", "status": "finished", "data": {"Other phone": "2813322576"}}])

    assert ask.arguments == {"phones": [ALEX]}
    hidden = anna.get(f"asks/{asked['id']}")["data"]
    assert hidden == [{"id": "5665336653", "phone": "128…75", "status": "finished", "data": {"Other phone": "281…76"}}]
    assert anna.get(f"asks/{asked['id']}", reveal="true")["data"][0]["phone"] == "12813322575"
    assert desk.acts() == [("anna", "looked at the whole numbers of an answer of the platform")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"what": "job_report", "campaign": "welcome"}, "ids"),
        ({"what": "status", "campaign": "welcome", "ids": ["5"]}, "ids"),
        ({"what": "job_report", "campaign": "welcome", "phones": ["Alex"]}, "phones"),
        ({"what": "status", "campaign": "nobody"}, "scope"),
        ({"what": "stop", "campaign": "welcome"}, "what"),
        ({"what": "status"}, "campaign"),
    ],
)
def test_what_cannot_be_asked_is_refused(anna, desk, body, field):
    assert anna.post("asks", body, 422)["error"]["field"] == field
    assert desk.services.redis.llen("callbridge:1:asks") == 0


def test_what_nobody_asked_has_no_answer(anna):
    assert anna.get("asks/nothing", 404)["error"]["code"] == "not_found"


def test_numbers_go_onto_the_do_not_call_list_and_off_it(anna, desk):
    desk.lead(7)
    entries = [{"phone": "281 332 2575", "note": "asked for it"}, {"phone": "+4930901820", "campaign": "welcome", "until": "30d", "source": "legal"}]

    assert anna.post("do-not-call", {"entries": entries, "region": "US"}, 200) == {"added": 2, "stopped": 1}

    shown = anna.get("do-not-call", reveal="true")["items"]
    assert {each["phone"]: (each["source"], each.get("campaign"), "until" in each, each["holds"]) for each in shown} == {
        ALEX: ("anna", None, False, True),
        "+4930901820": ("legal", "welcome", True, True),
    }
    assert [each["phone"] for each in anna.get("do-not-call", phone=ALEX)["items"]] == ["+128…75"]
    assert anna.change("DELETE", "do-not-call/%2B4930901820", None, 404, campaign="follow-up")
    assert anna.change("DELETE", "do-not-call/%2B4930901820", campaign="welcome") == {"removed": 1}
    assert anna.change("DELETE", f"do-not-call/{ALEX}") == {"removed": 1}
    assert anna.get("do-not-call") == {"items": []}
    assert [what for _, what in desk.acts()][-2:] == ["looked at the whole numbers of the do-not-call list", "put 2 numbers on the do-not-call list"]


def test_a_long_list_is_turned_page_by_page(anna):
    entries = [{"phone": f"+1281332{number}", "campaign": campaign} for number in range(2000, 2017) for campaign in ("welcome", "follow-up")]
    anna.post("do-not-call", {"entries": entries[:20]}, 200)
    anna.post("do-not-call", {"entries": entries[20:]}, 200)

    found, after, pages = [], {}, 0
    while after is not None:
        page = anna.get("do-not-call", limit=5, reveal="true", **after)
        found += [(each["phone"], each["campaign"]) for each in page["items"]]
        after, pages = ({"after": page["next"]} if "next" in page else None), pages + 1

    assert pages == 4
    assert len(found) == 34
    assert set(found) == {(each["phone"], each["campaign"]) for each in entries}


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"phone": "281 332 2575"}, "entries.1.phone"),
        ({"phone": ALEX, "campaign": "nobody"}, "entries.1.campaign"),
        ({"phone": ALEX, "until": "soon"}, "entries.1.until"),
        ({"phone": ALEX, "until": "2020-01-01"}, "entries.1.until"),
        ({"phone": ALEX, "until": "99999999d"}, "entries.1.until"),
        ({"number": ALEX}, "entries.1.phone"),
    ],
)
def test_where_one_entry_is_wrong_none_is_added(anna, entry, field):
    assert anna.post("do-not-call", {"entries": [{"phone": ALEX}, entry]}, 422)["error"]["field"] == field
    assert anna.get("do-not-call") == {"items": []}


def test_a_long_import_is_taken_and_a_longer_one_is_not(anna):
    entries = [{"phone": f"+1281{number:07}", "note": "x" * 20} for number in range(3320000, 3325000)]

    assert anna.post("do-not-call", {"entries": entries}, 200)["added"] == 5000
    assert anna.post("do-not-call", {"entries": entries * 5}, 413)["error"]["code"] == "request_entity_too_large"


def test_sources_tell_when_they_were_heard_and_what_was_refused(anna, desk):
    desk.lead(7)
    desk.lead(7)
    forged = {"Authorization": "Bearer wrong", "Content-Type": "application/json"}
    desk.app.test_client().post("/webhooks/zapier", data='{"phone": "+12813322575"}', headers=forged)

    source = anna.get("sources/zapier")

    assert (source["accepted"], source["duplicates"], source["refused"], source["kind"]) == (1, 1, {"wrong_secret": 1}, "generic")
    assert source["webhook"] == "https://bridge.example.com/webhooks/zapier"
    (refused,) = source["refused_requests"]
    assert refused["whole"] is True
    assert (refused["refusal"], refused["body"], refused["headers"]["authorization"]) == ("wrong_secret", '{"phone": "+128…75"}', "***")
    listed = {each["name"]: each for each in anna.get("sources")["items"]}
    assert listed["zapier"] == {name: value for name, value in source.items() if name != "refused_requests"}
    assert "last_delivery" not in listed["hubspot"]
    assert anna.get("sources/nobody", 404)


def test_what_was_refused_is_taken_in_where_it_is_genuine(anna, desk, lead):
    source = desk.services.sources["hubspot"]
    body = json.dumps([{"eventId": 1, "subscriptionType": "contact.creation", "objectId": 5, "occurredAt": 1795423200000, "portalId": 1}]).encode()
    signed = source.sign(body, "https://bridge.example.com/webhooks/hubspot", desk.clock())
    web, other = desk.app.test_client(), type(source)("hubspot", source.settings.model_copy(update={"secret": (SecretStr("not-yet-the-right-one"),)}))
    desk.services.sources["hubspot"] = other
    assert web.post("/webhooks/hubspot", data=signed.body, headers=signed.headers).status_code == 401
    web.post("/webhooks/hubspot", data=signed.body, headers={**signed.headers, "X-HubSpot-Signature-v3": "forged"})
    (forged, genuine) = anna.get("sources/hubspot")["refused_requests"]
    assert "still refused" in genuine["objection"]

    desk.services.sources["hubspot"] = source

    assert "objection" not in anna.get("sources/hubspot")["refused_requests"][1]
    assert anna.post("sources/hubspot/readmit", {"ids": ["nothing"]}, 404)
    first, second = anna.post("sources/hubspot/readmit", {}, 200)["items"]
    assert (first["id"], first["verdict"], second["id"], second["verdict"]) == (genuine["id"], "taken", forged["id"], "refused")
    assert anna.get("events", source="hubspot")["items"][0]["key"] == first["keys"][0]
    assert desk.acts() == [("anna", "took in a request that had been refused")]
    assert anna.post("sources/nobody/readmit", {}, 404)


@pytest.mark.parametrize("stretch", ["1h", "24h", "7d", "30d"])
def test_figures_over_time_are_told_whole_and_by_parts(anna, desk, stretch):
    desk.call(desk.lead(7))

    told = anna.get("overview", stretch=stretch)

    assert (told["stretch"], told["whole"]["accepted"], told["whole"]["calls"], told["whole"]["finished"]) == (stretch, 1, 1, {"done": 1})
    assert told["sources"]["zapier"]["accepted"] == 1
    assert anna.get("overview", stretch=stretch, source="hubspot")["whole"]["accepted"] == 0
    assert anna.get("overview", 422, source="nobody")["error"]["field"] == "source"


def test_the_history_is_turned_page_by_page_and_by_person(anna, bert):
    for number in range(7):
        (anna if number % 2 else bert).change("PUT", "switches/*", {"note": str(number)})

    found, after = [], {}
    while after is not None:
        page = anna.get("history", limit=3, **after)
        found += [act["note"] for act in page["items"]]
        after = {"after": page["next"]} if "next" in page else None

    assert found == ["6", "5", "4", "3", "2", "1", "0"]
    assert [act["note"] for act in anna.get("history", by="anna")["items"]] == ["5", "3", "1"]
    assert [act["note"] for act in anna.get("history", by="anna", target="scope:*", limit=2)["items"]] == ["5", "3"]
    assert anna.get("history", 422, after="bm9uZQ")["error"]["field"] == "after"
    assert anna.get("history", 422, after=opaque("99999999999999999999-0"))["error"]["field"] == "after"


def test_a_number_that_somebody_wrote_into_a_note_is_masked_wherever_it_is_told(anna, desk, lead, at):
    key = desk.end(desk.lead(8), Status.FAILED).key
    anna.change("PUT", "switches/*", {"note": "ring 281 332 2570 first"})
    anna.post(at(key, "cancel"), {"note": "asked by 281.332.2570"})
    plan = anna.post("replays", {"q": "status:failed", "name": "for 281-332-2570"})

    paths = ("switches", "history", "status", "campaigns", "sources", at(key), "replays", plan["url"].removeprefix("/api/v1/"))
    told = "".join(anna.ask("GET", path).get_data(as_text=True) for path in paths)

    assert "ring 281…70 first" in told
    assert [number for number in ("281 332 2570", "281.332.2570", "281-332-2570") if number in told] == []


def test_the_history_of_one_thing_is_turned_page_by_page_whatever_is_done_to_it_meanwhile(anna):
    for number in range(5):
        anna.change("PUT", "switches/campaign:welcome", {"note": str(number)})

    first = anna.get("history", target="campaign:welcome", limit=2)
    assert (first["items"], "next" in first) == ([], False)
    first = anna.get("history", target="scope:campaign:welcome", limit=2)
    anna.change("PUT", "switches/campaign:welcome", {"note": "5"})
    second = anna.get("history", target="scope:campaign:welcome", limit=2, after=first["next"])
    third = anna.get("history", target="scope:campaign:welcome", limit=2, after=second["next"])

    assert [act["note"] for page in (first, second, third) for act in page["items"]] == ["4", "3", "2", "1", "0"]
    assert "next" not in third
    for wrong in ("nonsense", opaque("5~x"), opaque("5~-1")):
        assert anna.get("history", 422, target="scope:campaign:welcome", after=wrong)["error"]["field"] == "after"


def test_the_status_says_how_everything_is(anna, desk):
    desk.lead(7)
    desk.end(desk.lead(8), Status.FAILED)

    told = anna.get("status")

    assert (told["events"]["queued"], told["events"]["failed"], told["unfinished"], told["open_issues"]) == (1, 1, 1, 1)
    assert told["durability"] == {"level": "unsafe", "asked": "unsafe", "notes": []}
    assert told["good"] is False
    assert [each["level"] for each in told["findings"] if each["what"] == "workers"] == ["bad"]


def test_the_status_names_a_ledger_of_another_version(anna, desk):
    desk.lead(7)
    desk.services.redis.zadd("callbridge:2:due:normal", {"zapier:lead-7": 1})

    (finding,) = [each for each in anna.get("status")["findings"] if each["what"] == "ledger"]
    assert "of layout 2:" in finding["told"]


@pytest.mark.parametrize("body", [{"phone": ALEX}, {"ref": "lead:7"}, {"ref": "lead:7", "source": "zapier"}])
def test_a_person_is_forgotten_by_number_or_record(anna, desk, body):
    desk.call(desk.lead(7))

    order = anna.post("erase", body)

    assert desk.entry(order["key"]).event.forget
    assert desk.acts() == [("anna", "had a person forgotten")]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"phone": ALEX, "ref": "lead:7"}, 422),
        ({"phone": "Alex"}, 422),
        ({"ref": ALEX}, 422),
        ({"ref": "lead"}, 422),
        ({"ref": "lead:7", "source": "nobody"}, 422),
        ({"phone": "+12813329999"}, 422),
        ({"ref": "lead:7", "source": "hubspot"}, 422),
    ],
)
def test_nobody_is_forgotten_by_mistake(anna, desk, body, status):
    desk.lead(7)

    assert anna.post("erase", body, status)["error"]["message"]
    assert desk.acts() == []


def test_a_token_tells_who_is_asking(anna, bert):
    assert (anna.get("whoami"), bert.get("whoami")) == ({"operator": "anna"}, {"operator": "bert"})
