#pragma once

/// What each file measures. Called before the benchmarks run.
void register_base64();
void register_events();
void register_resampler();
void register_ring();
void register_websocket();
