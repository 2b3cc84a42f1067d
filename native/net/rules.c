/*
 * nftables rules of the host's namespace, by libnftables.
 *
 * One context lives as long as the program. Its socket stays open: closing a socket that has
 * removed elements waits for the kernel to free them, some fifteen milliseconds.
 */
#include <errno.h>
#include <nftables/libnftables.h>

#include "json-write.h"
#include "net.h"

static struct nft_ctx *context(struct ts_err *err)
{
	static struct nft_ctx *ctx;
	if (ctx)
		return ctx;
	ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!ctx) {
		ts_fail(err, TS_E_KERNEL, ENOMEM, "nft", "", "cannot talk to nftables");
		return NULL;
	}
	nft_ctx_buffer_error(ctx);
	nft_ctx_buffer_output(ctx);
	return ctx;
}

int net_nft(const char *script, struct ts_err *err)
{
	struct nft_ctx *ctx = context(err);
	if (!ctx)
		return -1;
	int result = nft_run_cmd_from_buffer(ctx, script);
	const char *text = nft_ctx_get_error_buffer(ctx);
	nft_ctx_get_output_buffer(ctx);
	if (result == 0)
		return 0;
	return ts_fail(err, TS_E_KERNEL, 0, "nft", "", "nftables refused the rules: %.600s",
		       text ? text : "no reason given");
}

int net_nft_list(const char *command, struct ts_buf *answer, struct ts_err *err)
{
	struct nft_ctx *ctx = context(err);
	if (!ctx)
		return -1;
	unsigned flags = nft_ctx_output_get_flags(ctx);
	nft_ctx_output_set_flags(ctx, flags | NFT_CTX_OUTPUT_HANDLE);
	int result = nft_run_cmd_from_buffer(ctx, command);
	nft_ctx_output_set_flags(ctx, flags);
	const char *output = nft_ctx_get_output_buffer(ctx);
	const char *text = nft_ctx_get_error_buffer(ctx);
	if (result != 0)
		return ts_fail(err, TS_E_KERNEL, 0, "nft", "", "nftables: %.600s",
			       text ? text : "no reason given");
	ts_buf_puts(answer, ",\"output\":");
	ts_json_put_str(answer, output ? output : "");
	return 0;
}
