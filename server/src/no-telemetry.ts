/**
 * ONNX Runtime's official builds for Linux report to their maker from 1.29 on: names and hashes of models, their operators, the
 * machine. Nothing but what was saved leaves a server, so this switches it off before the runtime is loaded, for this
 * process and its children; ORT_DISABLE_TELEMETRY=0 in the environment leaves it on. It must be set in the main thread:
 * what a worker thread sets in its environment the runtime doesn't see.
 */
process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
