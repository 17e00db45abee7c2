#include "server_answers.hpp"

#include "repartee/base/json.hpp"

#include <fmt/format.h>

namespace repartee::net {

Response error_response(int status, Code code, std::string_view message)
{
    Response response;
    response.status = status;
    response.headers.emplace_back("Content-Type", "application/json");
    response.body = json::to_text(json::object{{"error", {{"type", realtime_type(code)}, {"code", name(code)}, {"message", message}}}});
    return response;
}

Response internal_error() { return error_response(500, Code::internal, "The server failed to answer. The operator's log has the cause."); }

Response too_large(int status, std::string_view what, std::size_t limit_bytes)
{
    return error_response(status, Code::too_large, fmt::format("The request {} is larger than {} bytes. Send less.", what, limit_bytes));
}

}  // namespace repartee::net
