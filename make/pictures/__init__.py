"""Pictures of docs/pictures/: dashboards and screens, from a run of the demo (`make pictures`)."""
