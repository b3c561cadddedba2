.PHONY: pictures
pictures: venv cluster-build ## draw docs/pictures/ from a run of the demo: dashboards, scaling, kubectl headrace top
	$(BIN)/python -m make.pictures docs/pictures
