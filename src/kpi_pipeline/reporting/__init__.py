"""From rows of the published file to mails."""
