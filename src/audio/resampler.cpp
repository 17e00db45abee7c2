#include "repartee/audio/resampler.hpp"

#include <speex/speex_resampler.h>

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>

namespace repartee::audio {
namespace {

struct DestroyFilter {
    void operator()(SpeexResamplerState* filter) const { speex_resampler_destroy(filter); }
};
using Filter = std::unique_ptr<SpeexResamplerState, DestroyFilter>;

Filter make_filter(int in_hz, int out_hz, int quality)
{
    if (in_hz <= 0 || out_hz <= 0) throw std::invalid_argument("resampler: sample rates must be positive");
    int error = RESAMPLER_ERR_SUCCESS;
    Filter filter(speex_resampler_init(1, static_cast<spx_uint32_t>(in_hz), static_cast<spx_uint32_t>(out_hz), quality, &error));
    if (error == RESAMPLER_ERR_ALLOC_FAILED) throw std::bad_alloc();
    if (!filter) throw std::invalid_argument(std::string("resampler: ") + speex_resampler_strerror(error));
    speex_resampler_skip_zeros(filter.get());
    return filter;
}

}  // namespace

struct Resampler::State {
    std::uint64_t in_hz;
    std::uint64_t out_hz;
    Filter filter{};  ///< none: passes through
    std::uint64_t samples_in = 0;
    std::uint64_t samples_out = 0;

    std::uint64_t samples_due() const
    {
        const std::uint64_t rest = samples_in % in_hz;  // apart, so that no stream is too long for 64 bits
        return samples_in / in_hz * out_hz + (rest * out_hz + in_hz / 2) / in_hz;
    }

    void convert(std::span<const std::int16_t> in, std::vector<std::int16_t>& out)
    {
        while (!in.empty()) {
            const std::size_t room = static_cast<std::size_t>(in.size() * out_hz / in_hz) + 2;
            const std::size_t before = out.size();
            out.resize(before + room);
            auto consumed = static_cast<spx_uint32_t>(std::min<std::size_t>(in.size(), std::numeric_limits<spx_uint32_t>::max()));
            auto produced = static_cast<spx_uint32_t>(std::min<std::size_t>(room, std::numeric_limits<spx_uint32_t>::max()));
            speex_resampler_process_int(filter.get(), 0, in.data(), &consumed, out.data() + before, &produced);
            out.resize(before + produced);
            samples_out += produced;
            in = in.subspan(consumed);
        }
    }
};

Resampler::Resampler(int in_hz, int out_hz, int quality)
    : state_(new State{static_cast<std::uint64_t>(in_hz), static_cast<std::uint64_t>(out_hz)})
{
    if (in_hz != out_hz) state_->filter = make_filter(in_hz, out_hz, quality);
}

Resampler::~Resampler() = default;
Resampler::Resampler(Resampler&&) noexcept = default;
Resampler& Resampler::operator=(Resampler&&) noexcept = default;

bool Resampler::passes_through() const { return !state_->filter; }

void Resampler::process(std::span<const std::int16_t> in, std::vector<std::int16_t>& out)
{
    if (passes_through()) {
        out.insert(out.end(), in.begin(), in.end());
        return;
    }
    state_->samples_in += in.size();
    state_->convert(in, out);
}

void Resampler::flush(std::vector<std::int16_t>& out)
{
    if (passes_through()) return;
    constexpr std::array<std::int16_t, 256> silence{};
    const std::uint64_t due = state_->samples_due();
    while (state_->samples_out < due) state_->convert(silence, out);
    out.resize(out.size() - static_cast<std::size_t>(state_->samples_out - due));
    reset();
}

void Resampler::reset()
{
    if (passes_through()) return;
    speex_resampler_reset_mem(state_->filter.get());
    speex_resampler_skip_zeros(state_->filter.get());
    state_->samples_in = 0;
    state_->samples_out = 0;
}

}  // namespace repartee::audio
