"""Reports: folds over the events of a run. They show and decide nothing."""
