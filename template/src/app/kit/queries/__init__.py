"""Reading rows: views, repositories, pagination and sort orders."""
