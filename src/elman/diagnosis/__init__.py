"""Look inside a network: why it fails to learn and what to do about it; the worked example `hello`.

    watch, passage      what goes through the recurrent layers while a module runs
    flow                the loss gradient over time and by lag, with its rate
    sample              a few rows, on which the costlier measurements are made:
    transport           how far an input reaches; the Lyapunov exponent
    spectrum            singular values of the step's Jacobian
    gates               what stands at its limits
    truncation          what a shorter window would leave of the gradient
    update              gradients beside weights, clipping, the next update on trial
    nonfinite           where the first number arose that is not finite
    findings/           what follows from all that: one file for each problem
    result, telling     the numbers; their words
    page/               their pictures
    examine             all of it, once: `diagnose`

It does not know tasks or run folders. The package itself imports nothing, as the report reads `page` without torch.
"""
