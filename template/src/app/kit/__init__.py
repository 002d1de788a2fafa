"""The patterns this service is built on. Nothing here imports from `app` outside the kit."""
