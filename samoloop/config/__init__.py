"""What a person or a project settles before a child starts: settings, workflows, profiles, skills, prices."""
