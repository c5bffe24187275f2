"""What this machine has, what each stage will use, what is missing and the command that installs it."""

from reasonmill.engine.doctor.examination import Report, main, run_doctor

__all__ = ["Report", "main", "run_doctor"]
