#include "allocations.hpp"
#include "benches.hpp"
#include "repartee/net/websocket_frame.hpp"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

using namespace repartee::net;

namespace {

void mask(benchmark::State& state)
{
    constexpr std::size_t header_bytes = 8;  // so the payload lies as it does in a buffer of frames
    std::vector<std::byte> buffer(header_bytes + static_cast<std::size_t>(state.range(0)));
    const auto payload = std::span(buffer).subspan(header_bytes);
    const AllocationCount allocations;
    for (auto _ : state) {
        apply_mask(payload, {0x37, 0xFA, 0x21, 0x3D});
        benchmark::ClobberMemory();
    }
    allocations.report(state);
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * payload.size()));
}

void check_utf8(benchmark::State& state, std::string_view piece)
{
    std::string text;
    while (text.size() < static_cast<std::size_t>(state.range(0))) text += piece;
    const AllocationCount allocations;
    for (auto _ : state) benchmark::DoNotOptimize(is_valid_utf8(std::as_bytes(std::span(text))));
    allocations.report(state);
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}

void parse_header(benchmark::State& state)
{
    std::byte header[frame_header_bytes_max];
    const std::array<std::uint8_t, 4> key{1, 2, 3, 4};
    const std::size_t bytes = write_frame_header(true, Opcode::binary, 960, &key, header);
    const AllocationCount allocations;
    for (auto _ : state) benchmark::DoNotOptimize(parse_frame_header({header, bytes}));
    allocations.report(state);
}

}  // namespace

void register_websocket()
{
    benchmark::RegisterBenchmark("websocket/parse_header", parse_header);
    benchmark::RegisterBenchmark("websocket/mask", mask)->Arg(960)->Arg(1'328)->Arg(12'848);  // PCM of 20 ms; append events of 20 and 200 ms
    benchmark::RegisterBenchmark("websocket/utf8_ascii", check_utf8, "SGVsbG8gd29ybGQ")->Arg(1'500)->Arg(13'000);
    benchmark::RegisterBenchmark("websocket/utf8_korean", check_utf8, "안녕하세요, 오경미입니다. ")->Arg(1'500);
}
