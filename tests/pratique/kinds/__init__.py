import pytest

pytest.register_assert_rewrite("tests.pratique.kinds.case")
