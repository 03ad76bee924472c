"""Carries out what the ledger holds: the only code that reaches the Calls API and the CRMs' APIs."""
