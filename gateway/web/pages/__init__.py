"""页面之本 What every page stands on: who asks, which right a route needs, forms, words, the layout."""
