"""The fault harness: the real product as real processes, a known stream of webhooks, faults at random, and a judge.

``stories`` says what happens to whom and what must come of it, ``spelling`` how each CRM tells it, ``stream`` sends as those CRMs do,
``stage`` holds the processes, ``proxy`` stands between bridge and Redis, ``faults`` is what goes wrong, ``watch`` times how
soon it goes on, ``judge`` holds the platform's own record against the stories, and ``report`` prints it.
"""
