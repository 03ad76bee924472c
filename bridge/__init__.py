"""callbridge: receives CRM webhooks, decides what they mean, remembers it, and shows it.

This package never calls out. What must be done in the world is done by ``workers``.
"""

__version__ = "0.1.0"
