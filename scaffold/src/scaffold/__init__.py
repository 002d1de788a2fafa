"""The generator behind the command `scaffold`: it writes features, with their tests and migration.

It runs in a service, whose `app.kit.cli.commands.scaffold` imports it when the command runs.
"""
