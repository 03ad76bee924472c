"""What goes into the API and comes out of it, as pydantic models: the OpenAPI document is generated from these."""
