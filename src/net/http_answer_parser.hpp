#pragma once
#include "growing_body.hpp"

#include <boost/beast/http/parser.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace repartee::net {

/// The bytes of an answer as they come, cut into its header and pieces of its body; interim answers (100 Continue, 103 Early Hints) are passed over.
/// Does no I/O.
class HttpAnswerParser {
public:
    /// `without_body`: of HEAD, and of a CONNECT.
    HttpAnswerParser(bool without_body, std::size_t header_bytes_max);

    /// False: the answer is malformed, error() says how.
    bool feed(std::string_view bytes);
    /// The stream has ended. False: amid the answer.
    bool feed_end();

    bool header_done() const { return parser_->is_header_done() && !is_interim(); }
    bool complete() const { return parser_->is_done() && !is_interim(); }
    /// Complete, and the connection may carry another request: nothing stands behind it, and the peer keeps the connection.
    bool leaves_usable() const;
    bool has_surplus() const { return complete() && !unparsed_.empty(); }
    bool got_some() const { return got_some_; }
    const std::string& error() const { return error_; }

    int status() const { return static_cast<int>(parser_->get().result_int()); }
    std::string_view header(std::string_view name) const;

    /// Swaps the bytes of the body since the last call into `piece`.
    void take_body(std::string& piece);

private:
    using Parser = boost::beast::http::response_parser<GrowingBody>;

    bool is_interim() const;
    void begin();
    bool fail(std::string reason);

    bool without_body_;
    bool got_some_ = false;
    std::size_t header_bytes_max_;
    std::optional<Parser> parser_;
    std::string unparsed_;
    std::string error_;
    int interim_answers_ = 0;
};

}  // namespace repartee::net
