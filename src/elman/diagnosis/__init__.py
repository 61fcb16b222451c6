"""Look inside a network: why it fails to learn and what to do about it; the worked example `hello`.

    watch, stepwise     the calls of recurrent layers, and of cells that a module steps by itself
    passage             what goes through the recurrent layers while a module runs
    flow                the loss gradient over time and by lag, with its rate
    sample, few         a few rows, of one layer and of all, on which the costlier measurements are made:
    transport           what goes back from the last step: by lag, how far an input reaches, the Lyapunov exponent
    spectrum            singular values of the step's Jacobian
    gates               what stands at its limits
    truncation          back-propagation truncated to shorter windows
    update              gradients beside weights, clipping, the next update on trial
    nonfinite           where the first number arose that is not finite
    findings/           what follows from all that: one file for each problem
    result, telling     the numbers; their words
    examine             all of it, once: `diagnose`

It does not know tasks or run folders. The report draws its pictures, from plain values.
"""
