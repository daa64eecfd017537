"""Export: the winner as a recipe and a model, one test that says what it is worth, a report.

history     what a study holds, in the words of the report
reading     from a study's folder
winner      chosen on validation, written as a recipe
contest     the test: run once, counted, kept
verdict     what the test says, and no more
figures/    curve, test, gene values, importance, fronts
report/     the page
writing     all of it into a folder
"""
