package policies.platform.workspace_owner_test

import data.policies.platform.workspace_owner

_violations(spec) := found if {
	found := workspace_owner.violations with input as {
		"subject": {"apiVersion": "ai.platform.internal/v1", "kind": "AIWorkspace"},
		"object": {"spec": spec},
		"parameters": {"team_pattern": "search|team-[a-z]+", "workspace_environments": ["staging", "production"]},
	}
}

_paths(team, environment) := {violation.path | some violation in _violations({"team": team, "environment": environment})}

test_team_and_environment if {
	_paths("search", "staging") == set()
	_paths("team-a", "production") == set()
}

test_other_teams if {
	every team in ["", "team-", "Search", "searching", "a search", "search\n", null, 7, true, ["search"], {}] {
		_paths(team, "staging") == {"/spec/team"}
	}
}

test_other_environments if {
	every environment in ["", "prod", "Production", "staging\n", null, 7, true, ["staging"], {}] {
		_paths("search", environment) == {"/spec/environment"}
	}
}

test_nothing_said if {
	every spec in [null, {}] {
		_violations(spec) == {
			{"message": "spec.team is missing; required is the name of a team, like search|team-[a-z]+", "path": "/spec/team"},
			{"message": "spec.environment is missing; required is one of staging, production", "path": "/spec/environment"},
		}
	}
	_violations("x") == {{"message": "spec is \"x\"; required is an object", "path": "/spec"}}
}
