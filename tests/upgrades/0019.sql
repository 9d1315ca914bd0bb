SET check_function_bodies = false;
CREATE TYPE public.procrastinate_job_event_type AS ENUM (
    'deferred',
    'started',
    'deferred_for_retry',
    'failed',
    'succeeded',
    'cancelled',
    'abort_requested',
    'aborted',
    'scheduled',
    'retried'
);
CREATE TYPE public.procrastinate_job_status AS ENUM (
    'todo',
    'doing',
    'succeeded',
    'failed',
    'cancelled',
    'aborting',
    'aborted'
);
CREATE TYPE public.procrastinate_job_to_defer_v1 AS (
	queue_name character varying,
	task_name character varying,
	priority integer,
	lock text,
	queueing_lock text,
	args jsonb,
	scheduled_at timestamp with time zone
);
CREATE FUNCTION public.procrastinate_cancel_job_v1(job_id bigint, abort boolean, delete_job boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status = 'todo'
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        IF abort THEN
            UPDATE procrastinate_jobs
            SET abort_requested = true,
                status = CASE status
                    WHEN 'todo' THEN 'cancelled'::procrastinate_job_status ELSE status
                END
            WHERE id = job_id AND status IN ('todo', 'doing')
            RETURNING id INTO _job_id;
        ELSE
            UPDATE procrastinate_jobs
            SET status = 'cancelled'::procrastinate_job_status
            WHERE id = job_id AND status = 'todo'
            RETURNING id INTO _job_id;
        END IF;
    END IF;
    RETURN _job_id;
END;
$$;
CREATE FUNCTION public.procrastinate_defer_jobs_v1(jobs public.procrastinate_job_to_defer_v1[]) RETURNS bigint[]
    LANGUAGE plpgsql
    AS $$
DECLARE
    job_ids bigint[];
BEGIN
    WITH inserted_jobs AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
        SELECT (job).queue_name,
               (job).task_name,
               (job).priority,
               (job).lock,
               (job).queueing_lock,
               (job).args,
               (job).scheduled_at
        FROM unnest(jobs) AS job
        RETURNING id
    )
    SELECT array_agg(id) FROM inserted_jobs INTO job_ids;
    RETURN job_ids;
END;
$$;
CREATE FUNCTION public.procrastinate_defer_periodic_job_v2(_queue_name character varying, _lock character varying, _queueing_lock character varying, _task_name character varying, _priority integer, _periodic_id character varying, _defer_timestamp bigint, _args jsonb) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
	_job_id bigint;
	_defer_id bigint;
BEGIN
    INSERT
        INTO procrastinate_periodic_defers (task_name, periodic_id, defer_timestamp)
        VALUES (_task_name, _periodic_id, _defer_timestamp)
        ON CONFLICT DO NOTHING
        RETURNING id into _defer_id;
    IF _defer_id IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE procrastinate_periodic_defers
        SET job_id = (
            SELECT COALESCE((
                SELECT unnest(procrastinate_defer_jobs_v1(
                    ARRAY[
                        ROW(
                            _queue_name,
                            _task_name,
                            _priority,
                            _lock,
                            _queueing_lock,
                            _args,
                            NULL::timestamptz
                        )
                    ]::procrastinate_job_to_defer_v1[]
                ))
            ), NULL)
        )
        WHERE id = _defer_id
        RETURNING job_id INTO _job_id;
    DELETE
        FROM procrastinate_periodic_defers
        USING (
            SELECT id
            FROM procrastinate_periodic_defers
            WHERE procrastinate_periodic_defers.task_name = _task_name
            AND procrastinate_periodic_defers.periodic_id = _periodic_id
            AND procrastinate_periodic_defers.defer_timestamp < _defer_timestamp
            ORDER BY id
            FOR UPDATE
        ) to_delete
        WHERE procrastinate_periodic_defers.id = to_delete.id;
    RETURN _job_id;
END;
$$;
CREATE TABLE public.procrastinate_jobs (
    id bigint NOT NULL,
    queue_name character varying(128) NOT NULL,
    task_name character varying(128) NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    lock text,
    queueing_lock text,
    args jsonb DEFAULT '{}'::jsonb NOT NULL,
    status public.procrastinate_job_status DEFAULT 'todo'::public.procrastinate_job_status NOT NULL,
    scheduled_at timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    abort_requested boolean DEFAULT false NOT NULL,
    worker_id bigint,
    CONSTRAINT check_not_todo_abort_requested CHECK ((NOT ((status = 'todo'::public.procrastinate_job_status) AND (abort_requested = true))))
);
CREATE FUNCTION public.procrastinate_fetch_job_v2(target_queue_names character varying[], p_worker_id bigint) RETURNS public.procrastinate_jobs
    LANGUAGE plpgsql
    AS $$
DECLARE
	found_jobs procrastinate_jobs;
BEGIN
    WITH candidate AS (
        SELECT jobs.*
            FROM procrastinate_jobs AS jobs
            WHERE
                -- reject the job if its lock has earlier or higher priority jobs
                NOT EXISTS (
                    SELECT 1
                        FROM procrastinate_jobs AS other_jobs
                        WHERE
                            jobs.lock IS NOT NULL
                            AND other_jobs.lock = jobs.lock
                            AND (
                                -- job with same lock is already running
                                other_jobs.status = 'doing'
                                OR
                                -- job with same lock is waiting and has higher priority (or same priority but was queued first)
                                (
                                    other_jobs.status = 'todo'
                                    AND (
                                        other_jobs.priority > jobs.priority
                                        OR (
                                        other_jobs.priority = jobs.priority
                                        AND other_jobs.id < jobs.id
                                        )
                                    )
                                )
                            )
                )
                AND jobs.status = 'todo'
                AND (target_queue_names IS NULL OR jobs.queue_name = ANY( target_queue_names ))
                AND (jobs.scheduled_at IS NULL OR jobs.scheduled_at <= now())
            ORDER BY jobs.priority DESC, jobs.id ASC LIMIT 1
            FOR UPDATE OF jobs SKIP LOCKED
    )
    UPDATE procrastinate_jobs
        SET status = 'doing', worker_id = p_worker_id
        FROM candidate
        WHERE procrastinate_jobs.id = candidate.id
        RETURNING procrastinate_jobs.* INTO found_jobs;
 RETURN found_jobs;
END;
$$;
CREATE FUNCTION public.procrastinate_finish_job_v1(job_id bigint, end_status public.procrastinate_job_status, delete_job boolean) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF end_status NOT IN ('succeeded', 'failed', 'aborted') THEN
        RAISE 'End status should be either "succeeded", "failed" or "aborted" (job id: %)', job_id;
    END IF;
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = end_status,
            abort_requested = false,
            attempts = CASE status
                WHEN 'doing' THEN attempts + 1 ELSE attempts
            END
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" or "todo" status (job id: %)', job_id;
    END IF;
END;
$$;
CREATE FUNCTION public.procrastinate_notify_queue_abort_job_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'abort_job_requested', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_notify_queue_job_inserted_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'job_inserted', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_prune_stalled_workers_v1(seconds_since_heartbeat double precision) RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    DELETE FROM procrastinate_workers
    WHERE last_heartbeat < NOW() - (seconds_since_heartbeat || 'SECOND')::INTERVAL
    RETURNING procrastinate_workers.id;
END;
$$;
CREATE FUNCTION public.procrastinate_register_worker_v1() RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    INSERT INTO procrastinate_workers DEFAULT VALUES
    RETURNING procrastinate_workers.id;
END;
$$;
CREATE FUNCTION public.procrastinate_retry_job_v1(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
BEGIN
    SELECT abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status = 'doing'
    FOR UPDATE
    INTO _abort_requested;
    IF _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" status (job id: %)', job_id;
    END IF;
END;
$$;
CREATE FUNCTION public.procrastinate_retry_job_v2(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
    _current_status procrastinate_job_status;
BEGIN
    SELECT status, abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status IN ('doing', 'failed')
    FOR UPDATE
    INTO _current_status, _abort_requested;
    IF _current_status = 'doing' AND _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status IN ('doing', 'failed')
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or has an invalid status to retry (job id: %)', job_id;
    END IF;
END;
$$;
CREATE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'abort_requested'::procrastinate_job_event_type);
    RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type, at)
        VALUES (NEW.id, 'scheduled'::procrastinate_job_event_type, NEW.scheduled_at);
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'deferred'::procrastinate_job_event_type);
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_trigger_function_status_events_update_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    WITH t AS (
        SELECT CASE
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND NEW.status = 'doing'::procrastinate_job_status
                THEN 'started'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'deferred_for_retry'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'failed'::procrastinate_job_status
                THEN 'failed'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'succeeded'::procrastinate_job_status
                THEN 'succeeded'::procrastinate_job_event_type
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND (
                    NEW.status = 'cancelled'::procrastinate_job_status
                    OR NEW.status = 'failed'::procrastinate_job_status
                    OR NEW.status = 'succeeded'::procrastinate_job_status
                )
                THEN 'cancelled'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'aborted'::procrastinate_job_status
                THEN 'aborted'::procrastinate_job_event_type
            WHEN OLD.status = 'failed'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'retried'::procrastinate_job_event_type
            ELSE NULL
        END as event_type
    )
    INSERT INTO procrastinate_events(job_id, type)
        SELECT NEW.id, t.event_type
        FROM t
        WHERE t.event_type IS NOT NULL;
	RETURN NEW;
END;
$$;
CREATE FUNCTION public.procrastinate_unlink_periodic_defers_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_periodic_defers
    SET job_id = NULL
    WHERE job_id = OLD.id;
    RETURN OLD;
END;
$$;
CREATE FUNCTION public.procrastinate_unregister_worker_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM procrastinate_workers
    WHERE id = worker_id;
END;
$$;
CREATE FUNCTION public.procrastinate_update_heartbeat_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_workers
    SET last_heartbeat = NOW()
    WHERE id = worker_id;
END;
$$;
CREATE FUNCTION public.safelight_albums_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  own text := quote_ident(TG_TABLE_SCHEMA);
BEGIN
  IF TG_TABLE_NAME = 'safelight_albums' THEN
    EXECUTE 'INSERT INTO ' || own || '.safelight_changes (owner)'
      ' SELECT DISTINCT owner FROM changed';
  ELSIF EXISTS (SELECT FROM changed) THEN
    EXECUTE 'INSERT INTO ' || own || '.safelight_changes (owner)'
      ' SELECT DISTINCT owner FROM ' || own || '.safelight_albums'
      ' WHERE id IN (SELECT album_id FROM changed)';
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION public.safelight_count_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
  changed record;
BEGIN
  FOR changed IN
    SELECT owner, sort, month, sum(change) AS change
    FROM (SELECT owner, created_at, local_at, -1 AS change FROM old_photos WHERE status = 'ready' AND trashed_at IS NULL) AS photo,
      LATERAL (VALUES ('added', date_trunc('month', created_at AT TIME ZONE 'UTC')), ('taken', date_trunc('month', local_at))) AS months (sort, month)
    GROUP BY owner, sort, month HAVING sum(change) <> 0
  LOOP
    EXECUTE 'INSERT INTO ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_month_changes'
      ' (owner, sort, month, change) VALUES ($1, $2, $3, $4)'
      USING changed.owner, changed.sort, changed.month, changed.change;
  END LOOP;
  RETURN NULL;
END $_$;
CREATE FUNCTION public.safelight_count_insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
  changed record;
BEGIN
  FOR changed IN
    SELECT owner, sort, month, sum(change) AS change
    FROM (SELECT owner, created_at, local_at, 1 AS change FROM new_photos WHERE status = 'ready' AND trashed_at IS NULL) AS photo,
      LATERAL (VALUES ('added', date_trunc('month', created_at AT TIME ZONE 'UTC')), ('taken', date_trunc('month', local_at))) AS months (sort, month)
    GROUP BY owner, sort, month HAVING sum(change) <> 0
  LOOP
    EXECUTE 'INSERT INTO ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_month_changes'
      ' (owner, sort, month, change) VALUES ($1, $2, $3, $4)'
      USING changed.owner, changed.sort, changed.month, changed.change;
  END LOOP;
  RETURN NULL;
END $_$;
CREATE FUNCTION public.safelight_count_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(24426315847);
  EXECUTE 'DELETE FROM ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_month_changes';
  EXECUTE 'DELETE FROM ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_month_counts';
  RETURN NULL;
END $$;
CREATE FUNCTION public.safelight_count_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
  changed record;
BEGIN
  FOR changed IN
    SELECT owner, sort, month, sum(change) AS change
    FROM (SELECT owner, created_at, local_at, 1 AS change FROM new_photos WHERE status = 'ready' AND trashed_at IS NULL UNION ALL SELECT owner, created_at, local_at, -1 AS change FROM old_photos WHERE status = 'ready' AND trashed_at IS NULL) AS photo,
      LATERAL (VALUES ('added', date_trunc('month', created_at AT TIME ZONE 'UTC')), ('taken', date_trunc('month', local_at))) AS months (sort, month)
    GROUP BY owner, sort, month HAVING sum(change) <> 0
  LOOP
    EXECUTE 'INSERT INTO ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_month_changes'
      ' (owner, sort, month, change) VALUES ($1, $2, $3, $4)'
      USING changed.owner, changed.sort, changed.month, changed.change;
  END LOOP;
  RETURN NULL;
END $_$;
CREATE FUNCTION public.safelight_forget_search() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
  IF TG_OP = 'DELETE' THEN
    EXECUTE 'DELETE FROM ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_search'
      ' WHERE photo_id = $1' USING OLD.id;
  ELSE
    EXECUTE 'DELETE FROM ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_search';
  END IF;
  RETURN NULL;
END $_$;
CREATE FUNCTION public.safelight_keep_search() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
  owner text := NEW.owner;
  at timestamp := NEW.local_at;
  content text := concat_ws(' ', NEW.title, NEW.description, NEW.filename, NEW.details ->> 'camera_make', NEW.details ->> 'camera_model');
  prefix text := (SELECT encode(substr(sha256(convert_to(owner, 'UTF8')), 1, 6), 'base64'));
  words text[] := (
  SELECT coalesce(array_agg(left(part[1], 64) ORDER BY place), '{}')
  FROM regexp_matches(
    replace(replace(translate(lower(normalize(
      regexp_replace(normalize(content, NFKD), '[\u0300-\u036f]', '', 'g'), NFC
    )), 'øłđı', 'oldi'), 'ß', 'ss'), 'æ', 'ae'),
    '[0-9]+|[\u2600-\u27bf\u3041-\u30fa\u30fc-\u30ff\u3400-\u9fff\uf900-\ufaff\U0001f000-\U0001faff\U00020000-\U0003ffff]|[^0-9\u2600-\u27bf\u3041-\u30fa\u30fc-\u30ff\u3400-\u9fff\uf900-\ufaff\U0001f000-\U0001faff\U00020000-\U0003ffff\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u2000-\u25ff\u27c0-\u2bff\u3000-\u3040\u30fb\ufe00-\ufe0f\ufe30-\ufe4f\U000e0000-\U000e0fff]+', 'g'
  ) WITH ORDINALITY AS split (part, place)
);
BEGIN
  IF NEW.status = 'ready' AND NEW.trashed_at IS NULL THEN
    EXECUTE 'INSERT INTO ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_search'
      ' (photo_id, owner, created_at, local_at, words) VALUES ($1, $2, $3, $4, $5)'
      ' ON CONFLICT (photo_id) DO UPDATE SET'
      ' created_at = excluded.created_at, local_at = excluded.local_at, words = excluded.words'
      USING NEW.id, owner, NEW.created_at, at, (
  SELECT array_to_tsvector(array_agg(prefix || word)) FROM unnest(words || ARRAY[
    '@' || to_char(at, 'YYYY'), '@' || to_char(at, 'YYYY-MM'), '@' || to_char(at, 'YYYY-MM-DD'),
    '@' || to_char(at, 'MM')
  ]) AS word
);
  ELSE
    EXECUTE 'DELETE FROM ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_search'
      ' WHERE photo_id = $1' USING NEW.id;
  END IF;
  RETURN NULL;
END $_$;
CREATE FUNCTION public.safelight_leave_albums() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    EXECUTE 'DELETE FROM ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_album_photos';
  ELSE
    EXECUTE 'DELETE FROM ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_album_photos'
      ' WHERE photo_id = $1' USING OLD.id;
  END IF;
  RETURN NULL;
END $_$;
CREATE FUNCTION public.safelight_photos_changed_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
  changed record;
BEGIN
  FOR changed IN SELECT DISTINCT owner FROM earlier WHERE status = 'ready'
  LOOP
    EXECUTE 'INSERT INTO ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_changes (owner)'
      ' VALUES ($1)' USING changed.owner;
  END LOOP;
  RETURN NULL;
END $_$;
CREATE FUNCTION public.safelight_photos_changed_insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
  changed record;
BEGIN
  FOR changed IN SELECT DISTINCT owner FROM later WHERE status = 'ready'
  LOOP
    EXECUTE 'INSERT INTO ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_changes (owner)'
      ' VALUES ($1)' USING changed.owner;
  END LOOP;
  RETURN NULL;
END $_$;
CREATE FUNCTION public.safelight_photos_changed_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  own text := quote_ident(TG_TABLE_SCHEMA);
BEGIN
  EXECUTE 'INSERT INTO ' || own || '.safelight_changes (owner)'
    ' SELECT owner FROM ' || own || '.safelight_changes'
    ' UNION SELECT owner FROM ' || own || '.safelight_change_counts';
  RETURN NULL;
END $$;
CREATE FUNCTION public.safelight_photos_changed_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
  changed record;
BEGIN
  FOR changed IN 
    SELECT DISTINCT one.owner
    FROM later JOIN earlier USING (id),
      LATERAL (VALUES (later.owner), (earlier.owner)) AS one (owner)
    WHERE (later.status = 'ready' OR earlier.status = 'ready')
      AND (
        later.status <> earlier.status
        OR later.owner <> earlier.owner
        OR later.name <> earlier.name
        OR later.trashed_at IS DISTINCT FROM earlier.trashed_at
        OR later.version <> earlier.version
          AND (
            later.renditions = earlier.renditions
            OR to_jsonb(later) - '{version,renditions,thumbhash,renderer,inspection}'::text[] <> to_jsonb(earlier) - '{version,renditions,thumbhash,renderer,inspection}'::text[]
          )
      )
  LOOP
    EXECUTE 'INSERT INTO ' || quote_ident(TG_TABLE_SCHEMA) || '.safelight_changes (owner)'
      ' VALUES ($1)' USING changed.owner;
  END LOOP;
  RETURN NULL;
END $_$;
CREATE FUNCTION public.safelight_search_lexeme(word text, is_prefix boolean) RETURNS tsquery
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
  SELECT (quote_literal(word) || CASE WHEN is_prefix THEN ':*' ELSE '' END)::tsquery
$$;
CREATE FUNCTION public.safelight_search_prefix(owner text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$SELECT encode(substr(sha256(convert_to(owner, 'UTF8')), 1, 6), 'base64')$$;
CREATE FUNCTION public.safelight_search_query(owner text, texts text[], dates text[]) RETURNS tsquery
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
  prefix text := safelight_search_prefix(owner);
  words text[];
  term tsquery;
  whole tsquery;
BEGIN
  FOR n IN 1 .. cardinality(texts) LOOP
    words := safelight_words(texts[n]);
    term := NULL;
    FOR m IN 1 .. cardinality(words) LOOP
      term := coalesce(term && safelight_search_lexeme(prefix || words[m],
        n = cardinality(texts) AND m = cardinality(words)),
        safelight_search_lexeme(prefix || words[m],
        n = cardinality(texts) AND m = cardinality(words)));
    END LOOP;
    IF dates[n] IS NOT NULL THEN
      term := coalesce(term || safelight_search_lexeme(prefix || '@' || dates[n], false),
        safelight_search_lexeme(prefix || '@' || dates[n], false));
    END IF;
    whole := coalesce(whole && term, whole, term);
  END LOOP;
  RETURN whole;
END $$;
CREATE FUNCTION public.safelight_search_vector(prefix text, words text[], at timestamp without time zone) RETURNS tsvector
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    AS $$
  SELECT array_to_tsvector(array_agg(prefix || word)) FROM unnest(words || ARRAY[
    '@' || to_char(at, 'YYYY'), '@' || to_char(at, 'YYYY-MM'), '@' || to_char(at, 'YYYY-MM-DD'),
    '@' || to_char(at, 'MM')
  ]) AS word
$$;
CREATE FUNCTION public.safelight_words(content text) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
  SELECT coalesce(array_agg(left(part[1], 64) ORDER BY place), '{}')
  FROM regexp_matches(
    replace(replace(translate(lower(normalize(
      regexp_replace(normalize(content, NFKD), '[\u0300-\u036f]', '', 'g'), NFC
    )), 'øłđı', 'oldi'), 'ß', 'ss'), 'æ', 'ae'),
    '[0-9]+|[\u2600-\u27bf\u3041-\u30fa\u30fc-\u30ff\u3400-\u9fff\uf900-\ufaff\U0001f000-\U0001faff\U00020000-\U0003ffff]|[^0-9\u2600-\u27bf\u3041-\u30fa\u30fc-\u30ff\u3400-\u9fff\uf900-\ufaff\U0001f000-\U0001faff\U00020000-\U0003ffff\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u2000-\u25ff\u27c0-\u2bff\u3000-\u3040\u30fb\ufe00-\ufe0f\ufe30-\ufe4f\U000e0000-\U000e0fff]+', 'g'
  ) WITH ORDINALITY AS split (part, place)
$$;
CREATE TABLE public.procrastinate_events (
    id bigint NOT NULL,
    job_id bigint NOT NULL,
    type public.procrastinate_job_event_type,
    at timestamp with time zone DEFAULT now()
);
CREATE SEQUENCE public.procrastinate_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.procrastinate_events_id_seq OWNED BY public.procrastinate_events.id;
CREATE SEQUENCE public.procrastinate_jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.procrastinate_jobs_id_seq OWNED BY public.procrastinate_jobs.id;
CREATE TABLE public.procrastinate_periodic_defers (
    id bigint NOT NULL,
    task_name character varying(128) NOT NULL,
    defer_timestamp bigint,
    job_id bigint,
    periodic_id character varying(128) DEFAULT ''::character varying NOT NULL
);
CREATE SEQUENCE public.procrastinate_periodic_defers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.procrastinate_periodic_defers_id_seq OWNED BY public.procrastinate_periodic_defers.id;
CREATE TABLE public.procrastinate_workers (
    id bigint NOT NULL,
    last_heartbeat timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.procrastinate_workers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.procrastinate_workers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.safelight_adoptions (
    source bytea NOT NULL,
    photo_id bigint NOT NULL,
    adopted_at timestamp with time zone NOT NULL
);
CREATE TABLE public.safelight_album_photos (
    album_id bigint NOT NULL,
    photo_id bigint NOT NULL,
    "position" integer NOT NULL
);
CREATE TABLE public.safelight_albums (
    id bigint NOT NULL,
    owner text NOT NULL,
    title text NOT NULL,
    description text NOT NULL,
    cover_id bigint,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL
);
ALTER TABLE public.safelight_albums ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.safelight_albums_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.safelight_alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.safelight_change_counts (
    owner text NOT NULL,
    changes bigint NOT NULL
);
CREATE TABLE public.safelight_changes (
    owner text NOT NULL,
    id bigint NOT NULL
);
ALTER TABLE public.safelight_changes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.safelight_changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.safelight_codes (
    digest text NOT NULL,
    issued_by text NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.safelight_downloads (
    name text NOT NULL,
    owner text NOT NULL,
    photo_ids bigint[] NOT NULL,
    filename text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.safelight_installation (
    name text NOT NULL,
    value text NOT NULL
);
CREATE TABLE public.safelight_month_changes (
    id bigint NOT NULL,
    owner text NOT NULL,
    sort text NOT NULL,
    month timestamp without time zone NOT NULL,
    change integer NOT NULL
);
ALTER TABLE public.safelight_month_changes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.safelight_month_changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.safelight_month_counts (
    owner text NOT NULL,
    sort text NOT NULL,
    month timestamp without time zone NOT NULL,
    photos integer NOT NULL
);
CREATE TABLE public.safelight_photos (
    id bigint NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    owner text NOT NULL,
    status text NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    title text NOT NULL,
    description text NOT NULL,
    filename text NOT NULL,
    reserved_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    purged_at timestamp with time zone,
    created_at timestamp with time zone,
    size bigint,
    sha256 text,
    format text,
    content_type text,
    width integer,
    height integer,
    frames integer,
    taken_at timestamp without time zone,
    taken_offset interval,
    sort_at timestamp with time zone,
    thumbhash bytea,
    renditions jsonb DEFAULT '[]'::jsonb NOT NULL,
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    taken_from text,
    own_taken_at timestamp without time zone,
    own_taken_offset interval,
    own_taken_from text,
    local_at timestamp without time zone GENERATED ALWAYS AS (COALESCE(taken_at, (created_at AT TIME ZONE 'UTC'::text))) STORED,
    renderer smallint DEFAULT 1 NOT NULL,
    inspection smallint DEFAULT 0 NOT NULL,
    separate bigint DEFAULT 0 NOT NULL,
    trashed_at timestamp with time zone,
    revoked_at timestamp with time zone,
    turn smallint DEFAULT 0 NOT NULL,
    CONSTRAINT safelight_photos_ready_is_whole_check CHECK (((status <> 'ready'::text) OR ((created_at IS NOT NULL) AND (size IS NOT NULL) AND (sha256 IS NOT NULL) AND (format IS NOT NULL) AND (content_type IS NOT NULL) AND (width IS NOT NULL) AND (height IS NOT NULL) AND (frames IS NOT NULL) AND (sort_at IS NOT NULL)))),
    CONSTRAINT safelight_photos_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'ready'::text, 'deleted'::text])))
);
ALTER TABLE public.safelight_photos ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.safelight_photos_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.safelight_renderings (
    key text NOT NULL,
    claimed_by text NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.safelight_search (
    photo_id bigint NOT NULL,
    owner text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    local_at timestamp without time zone NOT NULL,
    words tsvector NOT NULL
);
CREATE TABLE public.safelight_sessions (
    id bigint NOT NULL,
    digest text NOT NULL,
    issued_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    address text NOT NULL,
    browser text NOT NULL
);
ALTER TABLE public.safelight_sessions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.safelight_sessions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.safelight_uploads (
    name text NOT NULL,
    owner text NOT NULL,
    status text NOT NULL,
    title text NOT NULL,
    description text NOT NULL,
    filename text NOT NULL,
    content_type text NOT NULL,
    size bigint NOT NULL,
    sha256 text,
    part_size bigint,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    swept_at timestamp with time zone,
    photo_id bigint,
    modified_at timestamp without time zone,
    modified_offset interval,
    CONSTRAINT safelight_uploads_an_end_has_a_time_check CHECK (((status = 'open'::text) OR (ended_at IS NOT NULL))),
    CONSTRAINT safelight_uploads_completed_is_a_photo_check CHECK (((status <> 'completed'::text) OR (photo_id IS NOT NULL))),
    CONSTRAINT safelight_uploads_status_check CHECK ((status = ANY (ARRAY['open'::text, 'completed'::text, 'aborted'::text])))
);
ALTER TABLE ONLY public.procrastinate_events ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_events_id_seq'::regclass);
ALTER TABLE ONLY public.procrastinate_jobs ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_jobs_id_seq'::regclass);
ALTER TABLE ONLY public.procrastinate_periodic_defers ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_periodic_defers_id_seq'::regclass);
INSERT INTO public.procrastinate_events VALUES (1, 1, 'scheduled', '2026-11-27 04:28:40.172782+00');
INSERT INTO public.procrastinate_events VALUES (2, 1, 'deferred', '2026-11-27 04:28:35.172782+00');
INSERT INTO public.procrastinate_jobs VALUES (1, 'safelight', 'safelight.purge', 0, NULL, NULL, '{}', 'todo', '2026-11-27 04:28:40.172782+00', 0, false, NULL);
INSERT INTO public.safelight_alembic_version VALUES ('0019');
INSERT INTO public.safelight_changes OVERRIDING SYSTEM VALUE VALUES ('ann', 1);
INSERT INTO public.safelight_changes OVERRIDING SYSTEM VALUE VALUES ('ann', 2);
INSERT INTO public.safelight_changes OVERRIDING SYSTEM VALUE VALUES ('ben', 3);
INSERT INTO public.safelight_changes OVERRIDING SYSTEM VALUE VALUES ('ben', 4);
INSERT INTO public.safelight_changes OVERRIDING SYSTEM VALUE VALUES ('ben', 5);
INSERT INTO public.safelight_changes OVERRIDING SYSTEM VALUE VALUES ('ben', 6);
INSERT INTO public.safelight_installation VALUES ('bucket', 'safelight');
INSERT INTO public.safelight_month_changes OVERRIDING SYSTEM VALUE VALUES (1, 'ann', 'taken', '2024-05-01 00:00:00', 1);
INSERT INTO public.safelight_month_changes OVERRIDING SYSTEM VALUE VALUES (2, 'ann', 'added', '2026-11-01 00:00:00', 1);
INSERT INTO public.safelight_month_changes OVERRIDING SYSTEM VALUE VALUES (3, 'ann', 'taken', '2026-11-01 00:00:00', 1);
INSERT INTO public.safelight_month_changes OVERRIDING SYSTEM VALUE VALUES (4, 'ann', 'added', '2026-11-01 00:00:00', 1);
INSERT INTO public.safelight_month_changes OVERRIDING SYSTEM VALUE VALUES (5, 'ben', 'added', '2026-11-01 00:00:00', 1);
INSERT INTO public.safelight_month_changes OVERRIDING SYSTEM VALUE VALUES (6, 'ben', 'taken', '2026-11-01 00:00:00', 1);
INSERT INTO public.safelight_month_changes OVERRIDING SYSTEM VALUE VALUES (7, 'ben', 'taken', '2026-11-01 00:00:00', -1);
INSERT INTO public.safelight_month_changes OVERRIDING SYSTEM VALUE VALUES (8, 'ben', 'taken', '2023-04-01 00:00:00', 1);
INSERT INTO public.safelight_month_changes OVERRIDING SYSTEM VALUE VALUES (9, 'ben', 'added', '2026-11-01 00:00:00', 1);
INSERT INTO public.safelight_month_changes OVERRIDING SYSTEM VALUE VALUES (10, 'ben', 'taken', '2026-11-01 00:00:00', 1);
INSERT INTO public.safelight_month_changes OVERRIDING SYSTEM VALUE VALUES (11, 'ben', 'added', '2026-11-01 00:00:00', -1);
INSERT INTO public.safelight_month_changes OVERRIDING SYSTEM VALUE VALUES (12, 'ben', 'taken', '2026-11-01 00:00:00', -1);
INSERT INTO public.safelight_photos OVERRIDING SYSTEM VALUE VALUES (1, 1, 'ann', 'ready', '5182c918495501695f3857f64d6bc5ea', 'The beach', '', '1.jpg', '2026-11-27 04:28:34.630407+00', NULL, NULL, '2026-11-27 04:28:34.688707+00', 9910, '6bc86d60ba22666e80e6fa0711f704ed39b775314b757739c14fb79ccb96e88b', 'jpeg', 'image/jpeg', 700, 300, 1, '2024-05-06 07:08:09', NULL, '2024-05-06 07:08:09+00', '\xdc480a138866678a40887967502d06d764', '[{"key": "photos/5182c918495501695f3857f64d6bc5ea/ebeed7ad7cc0b2b5dab91884f45c095f", "name": "w320", "width": 320, "height": 137, "content_type": "image/webp"}, {"key": "photos/5182c918495501695f3857f64d6bc5ea/27be465a3024ce635bf99fcc8a02946e", "name": "w640", "width": 640, "height": 274, "content_type": "image/webp"}, {"key": "photos/5182c918495501695f3857f64d6bc5ea/89126567fe83d16e4b596685d03f0e76", "name": "w1280", "width": 700, "height": 300, "content_type": "image/webp"}]', '{"alpha": false, "colour": "060606", "located": false, "profile": null, "duration": null, "camera_make": null, "camera_model": null}', 'exif', NULL, NULL, NULL, DEFAULT, 1, 1, 0, NULL, NULL, 0);
INSERT INTO public.safelight_photos OVERRIDING SYSTEM VALUE VALUES (2, 1, 'ann', 'ready', 'c4f9715b04484d724d118a7c9be5b8f7', '', 'Größe 海', '', '2026-11-27 04:28:34.752449+00', NULL, NULL, '2026-11-27 04:28:34.773192+00', 3147, 'eb26b5c4b7f1e049c71cf27631161e252a3055d95d88406bc672d566f035f178', 'png', 'image/png', 40, 30, 1, NULL, NULL, '2026-11-27 04:28:34.773192+00', '\xdc480a15886968854f875687567879755f22f62764', '[{"key": "photos/c4f9715b04484d724d118a7c9be5b8f7/c405f5a3249c02d45bef9eef15676c0e", "name": "w320", "width": 40, "height": 30, "content_type": "image/webp"}]', '{"alpha": false, "colour": "060505", "located": false, "profile": null, "duration": null, "camera_make": null, "camera_model": null}', NULL, NULL, NULL, NULL, DEFAULT, 1, 1, 0, NULL, NULL, 0);
INSERT INTO public.safelight_photos OVERRIDING SYSTEM VALUE VALUES (3, 2, 'ben', 'ready', '4b624b39f9344f3925bbc9dc0ad40cf9', 'Ben''s', '', '', '2026-11-27 04:28:34.951431+00', NULL, NULL, '2026-11-27 04:28:34.963543+00', 1222, '6d502e9ba53b5a26498b6dcf6731312b6d91f779070a40a14d25af1d5e281754', 'webp', 'image/webp', 60, 40, 1, '2023-04-05 00:00:00', NULL, '2023-04-05 00:00:00+00', '\xdd480a15886968853f875687567879755f22f62764', '[{"key": "photos/4b624b39f9344f3925bbc9dc0ad40cf9/c405f5a3249c02d45bef9eef15676c0e", "name": "w320", "width": 60, "height": 40, "content_type": "image/webp"}]', '{"alpha": false, "colour": "050404", "located": false, "profile": null, "duration": null, "camera_make": null, "camera_model": null}', 'user', NULL, NULL, NULL, DEFAULT, 1, 1, 0, NULL, NULL, 0);
INSERT INTO public.safelight_photos OVERRIDING SYSTEM VALUE VALUES (4, 2, 'ben', 'deleted', '5d6352adc299871622d63ff2b8ac2d69', '', '', '', '2026-11-27 04:28:35.137904+00', '2026-11-27 04:28:35.166516+00', NULL, '2026-11-27 04:28:35.154863+00', 3357, '2f0555c9ff8b3821266f0713d340703b9cd515762f9335dde84536912cefa318', 'gif', 'image/gif', 60, 40, 1, NULL, NULL, '2026-11-27 04:28:35.154863+00', '\xdc480a1d886968854f875687567879755f32f62764', '[{"key": "photos/5d6352adc299871622d63ff2b8ac2d69/c405f5a3249c02d45bef9eef15676c0e", "name": "w320", "width": 60, "height": 40, "content_type": "image/webp"}]', '{"alpha": false, "colour": "040303", "located": false, "profile": null, "duration": null, "camera_make": null, "camera_model": null}', NULL, NULL, NULL, NULL, DEFAULT, 1, 1, 0, NULL, NULL, 0);
INSERT INTO public.safelight_photos OVERRIDING SYSTEM VALUE VALUES (5, 1, 'ann', 'pending', '80ed760cd1fd6887cc79330dec34ad3d', '', '', '', '2026-01-01 00:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '[]', '{}', NULL, NULL, NULL, NULL, DEFAULT, 1, 0, 0, NULL, NULL, 0);
INSERT INTO public.safelight_search VALUES (1, 'ann', '2026-11-27 04:28:34.688707+00', '2024-05-06 07:08:09', '''SZFeDX1L1'' ''SZFeDX1L@05'' ''SZFeDX1L@2024'' ''SZFeDX1L@2024-05'' ''SZFeDX1L@2024-05-06'' ''SZFeDX1Lbeach'' ''SZFeDX1Ljpg'' ''SZFeDX1Lthe''');
INSERT INTO public.safelight_search VALUES (2, 'ann', '2026-11-27 04:28:34.773192+00', '2026-11-27 04:28:34.773192', '''SZFeDX1L@11'' ''SZFeDX1L@2026'' ''SZFeDX1L@2026-11'' ''SZFeDX1L@2026-11-27'' ''SZFeDX1Lgrosse'' ''SZFeDX1L海''');
INSERT INTO public.safelight_search VALUES (3, 'ben', '2026-11-27 04:28:34.963543+00', '2023-04-05 00:00:00', '''ZwCGnI/3@04'' ''ZwCGnI/3@2023'' ''ZwCGnI/3@2023-04'' ''ZwCGnI/3@2023-04-05'' ''ZwCGnI/3ben'' ''ZwCGnI/3s''');
INSERT INTO public.safelight_sessions OVERRIDING SYSTEM VALUE VALUES (1, 'cf11ab84bf59670a16c681162cffa7d8256416135ac431ce27c7d29ad3a56736', 'issuer', '2026-11-27 04:28:36.178183+00', '2100-01-01 00:00:00+00', '::1', 'Mosaic');
INSERT INTO public.safelight_uploads VALUES ('63693c33450c4ebc195188c941508c80', 'ben', 'open', '', '', '', 'image/png', 1000, NULL, NULL, '2026-11-27 04:28:35.239626+00', '2026-11-27 05:43:35.239626+00', NULL, NULL, NULL, NULL, NULL);
SELECT pg_catalog.setval('public.procrastinate_events_id_seq', 2, true);
SELECT pg_catalog.setval('public.procrastinate_jobs_id_seq', 1, true);
SELECT pg_catalog.setval('public.procrastinate_periodic_defers_id_seq', 1, false);
SELECT pg_catalog.setval('public.procrastinate_workers_id_seq', 1, false);
SELECT pg_catalog.setval('public.safelight_albums_id_seq', 1, false);
SELECT pg_catalog.setval('public.safelight_changes_id_seq', 6, true);
SELECT pg_catalog.setval('public.safelight_month_changes_id_seq', 12, true);
SELECT pg_catalog.setval('public.safelight_photos_id_seq', 5, true);
SELECT pg_catalog.setval('public.safelight_sessions_id_seq', 1, true);
ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_unique UNIQUE (task_name, periodic_id, defer_timestamp);
ALTER TABLE ONLY public.procrastinate_workers
    ADD CONSTRAINT procrastinate_workers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.safelight_adoptions
    ADD CONSTRAINT safelight_adoptions_pkey PRIMARY KEY (source);
ALTER TABLE ONLY public.safelight_album_photos
    ADD CONSTRAINT safelight_album_photos_pkey PRIMARY KEY (album_id, photo_id);
ALTER TABLE ONLY public.safelight_albums
    ADD CONSTRAINT safelight_albums_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.safelight_alembic_version
    ADD CONSTRAINT safelight_alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.safelight_change_counts
    ADD CONSTRAINT safelight_change_counts_pkey PRIMARY KEY (owner);
ALTER TABLE ONLY public.safelight_changes
    ADD CONSTRAINT safelight_changes_pkey PRIMARY KEY (owner, id);
ALTER TABLE ONLY public.safelight_codes
    ADD CONSTRAINT safelight_codes_pkey PRIMARY KEY (digest);
ALTER TABLE ONLY public.safelight_downloads
    ADD CONSTRAINT safelight_downloads_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.safelight_installation
    ADD CONSTRAINT safelight_installation_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.safelight_month_changes
    ADD CONSTRAINT safelight_month_changes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.safelight_month_counts
    ADD CONSTRAINT safelight_month_counts_pkey PRIMARY KEY (owner, sort, month);
ALTER TABLE ONLY public.safelight_photos
    ADD CONSTRAINT safelight_photos_name_key UNIQUE (name);
ALTER TABLE ONLY public.safelight_photos
    ADD CONSTRAINT safelight_photos_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.safelight_renderings
    ADD CONSTRAINT safelight_renderings_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.safelight_search
    ADD CONSTRAINT safelight_search_pkey PRIMARY KEY (photo_id);
ALTER TABLE ONLY public.safelight_sessions
    ADD CONSTRAINT safelight_sessions_digest_key UNIQUE (digest);
ALTER TABLE ONLY public.safelight_sessions
    ADD CONSTRAINT safelight_sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.safelight_uploads
    ADD CONSTRAINT safelight_uploads_pkey PRIMARY KEY (name);
CREATE INDEX idx_procrastinate_jobs_worker_not_null ON public.procrastinate_jobs USING btree (worker_id) WHERE ((worker_id IS NOT NULL) AND (status = 'doing'::public.procrastinate_job_status));
CREATE INDEX idx_procrastinate_workers_last_heartbeat ON public.procrastinate_workers USING btree (last_heartbeat);
CREATE INDEX procrastinate_events_job_id_fkey_v1 ON public.procrastinate_events USING btree (job_id);
CREATE INDEX procrastinate_jobs_id_lock_idx_v1 ON public.procrastinate_jobs USING btree (id, lock) WHERE (status = ANY (ARRAY['todo'::public.procrastinate_job_status, 'doing'::public.procrastinate_job_status]));
CREATE UNIQUE INDEX procrastinate_jobs_lock_idx_v1 ON public.procrastinate_jobs USING btree (lock) WHERE (status = 'doing'::public.procrastinate_job_status);
CREATE INDEX procrastinate_jobs_priority_idx_v1 ON public.procrastinate_jobs USING btree (priority DESC, id) WHERE (status = 'todo'::public.procrastinate_job_status);
CREATE INDEX procrastinate_jobs_queue_name_idx_v1 ON public.procrastinate_jobs USING btree (queue_name);
CREATE UNIQUE INDEX procrastinate_jobs_queueing_lock_idx_v1 ON public.procrastinate_jobs USING btree (queueing_lock) WHERE (status = 'todo'::public.procrastinate_job_status);
CREATE INDEX procrastinate_periodic_defers_job_id_fkey_v1 ON public.procrastinate_periodic_defers USING btree (job_id);
CREATE INDEX safelight_album_photos_photo_id_idx ON public.safelight_album_photos USING btree (photo_id);
CREATE INDEX safelight_album_photos_position_idx ON public.safelight_album_photos USING btree (album_id, "position", photo_id);
CREATE INDEX safelight_albums_owner_idx ON public.safelight_albums USING btree (owner, id);
CREATE INDEX safelight_downloads_expires_idx ON public.safelight_downloads USING btree (expires_at);
CREATE INDEX safelight_downloads_owner_created_at_idx ON public.safelight_downloads USING btree (owner, created_at);
CREATE INDEX safelight_month_changes_owner_sort_idx ON public.safelight_month_changes USING btree (owner, sort);
CREATE INDEX safelight_photos_added_idx ON public.safelight_photos USING btree (owner, created_at DESC, id DESC) INCLUDE (version, trashed_at) WHERE (status = 'ready'::text);
CREATE INDEX safelight_photos_local_idx ON public.safelight_photos USING btree (owner, local_at DESC, id DESC) INCLUDE (version, trashed_at) WHERE (status = 'ready'::text);
CREATE INDEX safelight_photos_revoked_idx ON public.safelight_photos USING btree (id) WHERE (revoked_at IS NOT NULL);
CREATE INDEX safelight_photos_taken_idx ON public.safelight_photos USING btree (owner, sort_at DESC, id DESC) INCLUDE (version) WHERE (status = 'ready'::text);
CREATE INDEX safelight_photos_trash_idx ON public.safelight_photos USING btree (owner, trashed_at DESC, id DESC) INCLUDE (version) WHERE (trashed_at IS NOT NULL);
CREATE INDEX safelight_photos_trashed_at_idx ON public.safelight_photos USING btree (trashed_at) WHERE (trashed_at IS NOT NULL);
CREATE UNIQUE INDEX safelight_photos_twins_idx ON public.safelight_photos USING btree (owner, sha256, separate) WHERE (status = 'ready'::text);
CREATE INDEX safelight_photos_unsettled_idx ON public.safelight_photos USING btree (status, reserved_at) WHERE (status <> 'ready'::text);
CREATE INDEX safelight_search_words_idx ON public.safelight_search USING gin (words) WITH (fastupdate=off);
CREATE INDEX safelight_uploads_expires_idx ON public.safelight_uploads USING btree (expires_at);
CREATE INDEX safelight_uploads_open_idx ON public.safelight_uploads USING btree (owner, expires_at) WHERE (status = 'open'::text);
CREATE INDEX safelight_uploads_unswept_idx ON public.safelight_uploads USING btree (name) WHERE ((status <> 'open'::text) AND (swept_at IS NULL));
CREATE TRIGGER procrastinate_jobs_notify_queue_job_aborted_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN (((old.abort_requested = false) AND (new.abort_requested = true) AND (new.status = 'doing'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_notify_queue_abort_job_v1();
CREATE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_notify_queue_job_inserted_v1();
CREATE TRIGGER procrastinate_trigger_abort_requested_events_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.abort_requested = true)) EXECUTE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1();
CREATE TRIGGER procrastinate_trigger_delete_jobs_v1 BEFORE DELETE ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_unlink_periodic_defers_v1();
CREATE TRIGGER procrastinate_trigger_scheduled_events_v1 AFTER INSERT OR UPDATE ON public.procrastinate_jobs FOR EACH ROW WHEN (((new.scheduled_at IS NOT NULL) AND (new.status = 'todo'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1();
CREATE TRIGGER procrastinate_trigger_status_events_insert_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1();
CREATE TRIGGER procrastinate_trigger_status_events_update_v1 AFTER UPDATE OF status ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_update_v1();
CREATE TRIGGER safelight_albums_delete AFTER DELETE ON public.safelight_photos FOR EACH ROW WHEN ((old.status = 'ready'::text)) EXECUTE FUNCTION public.safelight_leave_albums();
CREATE TRIGGER safelight_albums_truncate AFTER TRUNCATE ON public.safelight_photos FOR EACH STATEMENT EXECUTE FUNCTION public.safelight_leave_albums();
CREATE TRIGGER safelight_albums_update AFTER UPDATE ON public.safelight_photos FOR EACH ROW WHEN (((old.status = 'ready'::text) AND (new.status <> 'ready'::text))) EXECUTE FUNCTION public.safelight_leave_albums();
CREATE TRIGGER safelight_changed_delete AFTER DELETE ON public.safelight_album_photos REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.safelight_albums_changed();
CREATE TRIGGER safelight_changed_delete AFTER DELETE ON public.safelight_albums REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.safelight_albums_changed();
CREATE TRIGGER safelight_changed_delete AFTER DELETE ON public.safelight_photos REFERENCING OLD TABLE AS earlier FOR EACH STATEMENT EXECUTE FUNCTION public.safelight_photos_changed_delete();
CREATE TRIGGER safelight_changed_insert AFTER INSERT ON public.safelight_album_photos REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.safelight_albums_changed();
CREATE TRIGGER safelight_changed_insert AFTER INSERT ON public.safelight_albums REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.safelight_albums_changed();
CREATE TRIGGER safelight_changed_insert AFTER INSERT ON public.safelight_photos REFERENCING NEW TABLE AS later FOR EACH STATEMENT EXECUTE FUNCTION public.safelight_photos_changed_insert();
CREATE TRIGGER safelight_changed_truncate AFTER TRUNCATE ON public.safelight_photos FOR EACH STATEMENT EXECUTE FUNCTION public.safelight_photos_changed_truncate();
CREATE TRIGGER safelight_changed_update AFTER UPDATE ON public.safelight_album_photos REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.safelight_albums_changed();
CREATE TRIGGER safelight_changed_update AFTER UPDATE ON public.safelight_albums REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.safelight_albums_changed();
CREATE TRIGGER safelight_changed_update AFTER UPDATE ON public.safelight_photos REFERENCING OLD TABLE AS earlier NEW TABLE AS later FOR EACH STATEMENT EXECUTE FUNCTION public.safelight_photos_changed_update();
CREATE TRIGGER safelight_count_delete AFTER DELETE ON public.safelight_photos REFERENCING OLD TABLE AS old_photos FOR EACH STATEMENT EXECUTE FUNCTION public.safelight_count_delete();
CREATE TRIGGER safelight_count_insert AFTER INSERT ON public.safelight_photos REFERENCING NEW TABLE AS new_photos FOR EACH STATEMENT EXECUTE FUNCTION public.safelight_count_insert();
CREATE TRIGGER safelight_count_truncate AFTER TRUNCATE ON public.safelight_photos FOR EACH STATEMENT EXECUTE FUNCTION public.safelight_count_truncate();
CREATE TRIGGER safelight_count_update AFTER UPDATE ON public.safelight_photos REFERENCING OLD TABLE AS old_photos NEW TABLE AS new_photos FOR EACH STATEMENT EXECUTE FUNCTION public.safelight_count_update();
CREATE TRIGGER safelight_search_delete AFTER DELETE ON public.safelight_photos FOR EACH ROW WHEN ((old.status = 'ready'::text)) EXECUTE FUNCTION public.safelight_forget_search();
CREATE TRIGGER safelight_search_insert AFTER INSERT ON public.safelight_photos FOR EACH ROW WHEN (((new.status = 'ready'::text) AND (new.trashed_at IS NULL))) EXECUTE FUNCTION public.safelight_keep_search();
CREATE TRIGGER safelight_search_truncate AFTER TRUNCATE ON public.safelight_photos FOR EACH STATEMENT EXECUTE FUNCTION public.safelight_forget_search();
CREATE TRIGGER safelight_search_update AFTER UPDATE ON public.safelight_photos FOR EACH ROW WHEN ((((old.status = 'ready'::text) OR (new.status = 'ready'::text)) AND ((old.status IS DISTINCT FROM new.status) OR (old.trashed_at IS DISTINCT FROM new.trashed_at) OR (old.title IS DISTINCT FROM new.title) OR (old.description IS DISTINCT FROM new.description) OR (old.filename IS DISTINCT FROM new.filename) OR (old.details IS DISTINCT FROM new.details) OR (old.created_at IS DISTINCT FROM new.created_at) OR (old.local_at IS DISTINCT FROM new.local_at)))) EXECUTE FUNCTION public.safelight_keep_search();
ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES public.procrastinate_workers(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id);
ALTER TABLE ONLY public.safelight_album_photos
    ADD CONSTRAINT safelight_album_photos_album_id_fkey FOREIGN KEY (album_id) REFERENCES public.safelight_albums(id) ON DELETE CASCADE;
