"""One rule for each kind of step, table and figure. What it reads, writes and needs stands in the step's class, its
settings in the plan: a rule only calls the command line."""

for name, steps in PLAN.rules.items():
    kind, at = type(steps[0].step), pattern(steps[0])

    rule:
        name:
            name
        input:
            of_step(name, lambda one: list(map(str, one.step.inputs()))),
        output:
            in_report(at),
        log:
            at.log,
        wildcard_constraints:
            **{key: any_of(one.names[key] for one in steps) for key in at.names},
        localrule: kind.LOCAL
        threads: getattr(at.step, "threads", 1)
        resources:
            mem_mb=grows(name, "mem_mb"),
            runtime=grows(name, "runtime"),
            gpu=int(kind.ON_GPU and PARAMS.runtime.device == "cuda"),
        params:
            command=of_step(name, lambda one: one.command_line),
            code=of_step(name, lambda one: code_of(one.step)),
        message:
            message_of(kind, at)
        shell:
            "vicious {params.command} --code {params.code} 2> {log:q}"
