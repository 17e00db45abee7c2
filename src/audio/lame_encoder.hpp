#pragma once
#include "repartee/base/error.hpp"

#include <lame/lame.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace repartee::audio {

/// libmp3lame for one channel of PCM16 at a constant bit rate.
class LameEncoder {
public:
    enum class Output {
        file,    ///< begins with an empty frame for the Info header, which is known at the end
        stream,  ///< without one; each frame stands alone, so that what came plays when the rest does not
    };

    /// Code::invalid_value lists the rates there are; Code::internal: the library refused.
    static Result<LameEncoder> create(int sample_rate_hz, int bitrate_kbps, Output output);

    /// Both append to `out`.
    Result<void> encode(std::span<const std::int16_t> samples, std::string& out);
    Result<void> flush(std::string& out);
    /// Writes the Info header over the empty frame that `file` begins with.
    Result<void> put_info(std::string& file);

private:
    struct Close {
        void operator()(lame_global_flags* encoder) const { lame_close(encoder); }
    };
    explicit LameEncoder(lame_global_flags* encoder) : encoder_(encoder) {}

    std::unique_ptr<lame_global_flags, Close> encoder_;
};

}  // namespace repartee::audio
