"""The projects that the sessions work on have tests of their own, which are not ours."""

collect_ignore = ["projects"]
