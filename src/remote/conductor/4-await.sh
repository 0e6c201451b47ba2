# The conductor's step that waits for the verdict of a unit that changed hands. What a verdict is, is in 3-verdict.sh.
# shellcheck shell=dash disable=SC2034,SC2154

# The arguments of a verdict: until it must be active, good answers in a row, until they must have come, how long it
# must then stay healthy, and how long one wrong response may repeat; in seconds. `turn` is restart (the InvocationID
# must be new) or reload (it must stay).
verdict_arguments="unit turn start successes timeout watch wrongs $check_arguments"

step_await() {
    local unit turn start successes timeout watch wrongs kind target status contains release
    arguments "$verdict_arguments" "$@" && judge
}
