#pragma once
#include "repartee/base/clock.hpp"
#include "repartee/net/byte_stream.hpp"
#include "repartee/net/http_message.hpp"

#include <optional>
#include <string>

namespace repartee::net {

/// Writes all of it, in pieces, each of which the peer must take within the limit; else the stream is closed (Code::slow_client).
Task<> write_within(ByteStream& stream, std::string_view bytes, milliseconds limit);

/// The body of a streamed response on its way: in chunks, or as it is up to the connection's end. The head leaves together with the first bytes.
class HttpBodyWriter : public BodyWriter {
public:
    HttpBodyWriter(ByteStream& stream, std::string head, bool chunked, milliseconds write_limit);

    Task<> write(std::string_view bytes) override;
    void add_trailer(std::string name, std::string value) override;

    /// The orderly end of the body.
    Task<> finish();

    bool begun() const { return begun_; }      ///< something has gone out: the status cannot be changed any more
    bool failed() const { return failure_.has_value(); }

private:
    Task<> send(std::string bytes);

    ByteStream& stream_;
    std::string head_, trailers_;
    bool chunked_, begun_ = false;
    milliseconds write_limit_;
    std::optional<Error> failure_;
};

}  // namespace repartee::net
