#include "allocations.hpp"
#include "benches.hpp"
#include "repartee/audio/base64.hpp"
#include "repartee/realtime/append_event.hpp"
#include "repartee/realtime/audio_delta.hpp"
#include "repartee/realtime/event_type.hpp"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

using namespace repartee;

namespace {

constexpr realtime::AudioDeltaIds ids{"event_CKvL6WbQwWZ9YmX1uX5xJ", "resp_CKvL5JXw0SxkZXWyKTqfM", "item_CKvL5pLrKbFTIsQ6oHqYS", 0, 0};

std::vector<std::byte> pcm_of(std::size_t bytes)
{
    std::vector<std::byte> pcm(bytes);
    for (std::size_t i = 0; i < bytes; ++i) pcm[i] = static_cast<std::byte>(i * 37 >> 3);
    return pcm;
}

std::string append_event(std::size_t bytes)
{
    std::string event;
    realtime::build_append_event(pcm_of(bytes), {}, event);
    return event;
}

std::string delta_event(std::size_t bytes)
{
    std::string event;
    const auto pcm = pcm_of(bytes);
    realtime::build_audio_delta(ids, pcm.data(), pcm.size(), event);
    return event;
}

void build_append(benchmark::State& state)
{
    const auto pcm = pcm_of(static_cast<std::size_t>(state.range(0)));
    std::vector<char> event(realtime::append_event_bytes(pcm.size()));
    const AllocationCount allocations;
    for (auto _ : state) {
        benchmark::DoNotOptimize(realtime::write_append_event(pcm, {}, event.data()));
        benchmark::ClobberMemory();
    }
    allocations.report(state);
}

/// As the ring gives it when it wraps, in the middle of a group of three bytes.
void build_append_of_two_parts(benchmark::State& state)
{
    const auto pcm = pcm_of(static_cast<std::size_t>(state.range(0)));
    const std::span<const std::byte> all(pcm);
    const std::size_t cut = all.size() / 2 + 1;
    std::vector<char> event(realtime::append_event_bytes(pcm.size()));
    const AllocationCount allocations;
    for (auto _ : state) {
        benchmark::DoNotOptimize(realtime::write_append_event(all.first(cut), all.subspan(cut), event.data()));
        benchmark::ClobberMemory();
    }
    allocations.report(state);
}

void find_append(benchmark::State& state)
{
    const std::string event = append_event(static_cast<std::size_t>(state.range(0)));
    const AllocationCount allocations;
    for (auto _ : state) benchmark::DoNotOptimize(realtime::find_append_audio(event));
    allocations.report(state);
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * event.size()));
}

void build_delta(benchmark::State& state)
{
    const auto pcm = pcm_of(static_cast<std::size_t>(state.range(0)));
    std::string event;
    realtime::build_audio_delta(ids, pcm.data(), pcm.size(), event);
    const AllocationCount allocations;
    for (auto _ : state) {
        event.clear();
        realtime::build_audio_delta(ids, pcm.data(), pcm.size(), event);
        benchmark::ClobberMemory();
    }
    allocations.report(state);
}

void find_delta(benchmark::State& state)
{
    const std::string event = delta_event(static_cast<std::size_t>(state.range(0)));
    const AllocationCount allocations;
    for (auto _ : state) benchmark::DoNotOptimize(realtime::find_audio_delta(event));
    allocations.report(state);
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * event.size()));
}

/// What a delta costs from text to PCM: its type, its audio, decoded.
void take_delta(benchmark::State& state)
{
    const std::string event = delta_event(static_cast<std::size_t>(state.range(0)));
    std::vector<std::byte> pcm(audio::base64_decoded_bytes_max(event.size()));
    const AllocationCount allocations;
    for (auto _ : state) {
        const bool is_delta = realtime::is_audio_delta(realtime::peek_type(event));
        const auto delta = realtime::find_audio_delta(event);
        if (!is_delta || !delta || !audio::base64_decode(delta->audio_base64, pcm.data())) state.SkipWithError("not a delta");
        benchmark::ClobberMemory();
    }
    allocations.report(state);
}

void peek_type(benchmark::State& state)
{
    const std::string event = delta_event(static_cast<std::size_t>(state.range(0)));
    const AllocationCount allocations;
    for (auto _ : state) benchmark::DoNotOptimize(realtime::peek_type(event));
    allocations.report(state);
}

}  // namespace

void register_events()
{
    const auto add = [](const char* name, void (*work)(benchmark::State&)) { benchmark::RegisterBenchmark(name, work)->Arg(960)->Arg(9'600); };
    add("append/build", build_append);
    add("append/build_two_parts", build_append_of_two_parts);
    add("append/find", find_append);
    add("delta/build", build_delta);
    add("delta/peek_type", peek_type);
    add("delta/find", find_delta);
    add("delta/find_and_decode", take_delta);
}
