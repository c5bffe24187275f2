"""The sections of a run's report: each takes the gathered figures and gives one section of HTML."""
