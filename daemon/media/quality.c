/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/quality.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Equipment impairment Ie and packet-loss robustness Bpl, ITU-T G.113 Appendix I tables I.1 and
 * I.4; G.711 with packet loss concealment. The wideband codecs are not tabulated on the scale of
 * G.107: they are rated here as free of impairment of their own, and as robust as their
 * concealment lets expect, which gives no credit for bandwidth. */
static const struct {
	const char *name;
	double ie, bpl;
} codecs[] = {
	{"PCMA", 0, 25.1},
	{"PCMU", 0, 25.1},
	{"G729", 11, 19},
	{"G723", 15, 16.1},
	{"GSM", 20, 43},
	{"GSM-EFR", 5, 10},
	{"AMR", 5, 10},
	{"iLBC", 11, 32},
	{"G726-32", 7, 23},
	{"G728", 7, 16},
	{"G722", 0, 16},
	{"AMR-WB", 0, 16},
	{"opus", 0, 25.1},
	{"SILK", 0, 25.1},
};
#define IE_OTHER  10.0 /* where the codec is not known */
#define BPL_OTHER 15.0

/* ITU-T G.107 7.7: R of a connection with all parameters at their defaults. */
#define R_DEFAULT 93.2
/* What a packet waits for besides the network: filling a 20 ms frame, and playing it. */
#define FRAME_DELAY_MS 20.0
/* A receiver's buffer holds about twice the jitter, and one frame at the least. */
#define BUFFER_JITTERS 2.0
#define BUFFER_MIN_MS  20.0
#define LOSS_MAX       100.0

/* Delay impairment: the line that Cole and Rosenbluth ("Voice over IP performance monitoring",
 * 2001) fit to G.107 7.4; d is mouth to ear, in ms. */
static double delay_impairment(double d)
{
	double id = 0.024 * d;

	if (d > 177.3)
		id += 0.11 * (d - 177.3);
	return id;
}

/* ITU-T G.107 Annex B. */
static double mos_of(double r)
{
	double mos;

	if (r <= 0)
		return 1;
	if (r >= 100)
		return 4.5;
	mos = 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6;
	return mos < 1 ? 1 : mos;
}

double quality_mos(const char *codec, double loss_percent, double jitter_ms, double rtt_ms)
{
	double ie = IE_OTHER, bpl = BPL_OTHER, buffer = jitter_ms * BUFFER_JITTERS, delay;
	size_t n = strcspn(codec, "/");

	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
		if (strlen(codecs[i].name) == n && strncasecmp(codecs[i].name, codec, n) == 0) {
			ie = codecs[i].ie;
			bpl = codecs[i].bpl;
		}
	}
	if (loss_percent < 0)
		loss_percent = 0;
	if (loss_percent > LOSS_MAX)
		loss_percent = LOSS_MAX;
	if (buffer < BUFFER_MIN_MS)
		buffer = BUFFER_MIN_MS;
	delay = FRAME_DELAY_MS + buffer + (rtt_ms > 0 ? rtt_ms / 2 : 0);
	/* G.107 7.5, with random loss (BurstR = 1). */
	ie += (95 - ie) * loss_percent / (loss_percent + bpl);
	return mos_of(R_DEFAULT - delay_impairment(delay) - ie);
}
