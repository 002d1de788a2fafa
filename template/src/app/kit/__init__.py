"""The framework code of this service. It imports nothing from `app` outside the kit."""
