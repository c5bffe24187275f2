"""One bench per arrow of the flow."""
