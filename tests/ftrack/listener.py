# :coding: utf-8
# :copyright: Copyright (c) 2016 ftrack
#
# The vendor's published example "ftrack Event listener - Restrict task status updates" (ftrack's snippets, Lucas
# Correia), unchanged but for its connect call: since version 2 of the client a session does not connect to the event
# hub unless it is told to. It is here so that what it does can be seen against the double.

import logging
import ftrack_api
import functools

logger = logging.getLogger('restrict_task_status_listener')

RESTRICTED_STATUSES = [
    'Approved'
]
ALLOWED_GROUP_NAME = 'Producers'

def restrict_status_updates(session, group_id, restricted_status_ids, event):
    '''Handle *event*.'''
    status_reverted = False
    user_id = None

    for entity in event['data'].get('entities', []):
        if (
            entity.get('entityType') == 'task' and
            entity.get('action') in ('update',) and
            'statusid' in entity.get('keys', [])
        ):
            entity_id = entity['entityId']
            user_id = event['source'].get('user', {}).get('id', None)
            if not user_id:
                logger.warning('No source user, allowing update...')
                continue

            old_status_id = entity['changes']['statusid']['old']
            new_status_id = entity['changes']['statusid']['new']
            if not new_status_id in restricted_status_ids:
                logger.info('Status is not restricted, allowing update...')
                continue

            # Make sure user is a member in the allowed group.
            membership = session.query(
                'Membership where user_id is "{}" and group_id is "{}"'.format(
                    user_id, group_id
                )
            ).first()

            if not membership:
                logger.info('Status change is _not_ allowed, reverting')
                status_reverted = True
                task = session.get('Task', entity_id)
                task['status_id'] = old_status_id
            else:
                logger.info('Status change is allowed')

    if status_reverted:
        # Persist changes
        try:
            session.commit()
        except Exception:
            session.rollback()
            raise

        # Trigger a message to the user (new in ftrack 3.3.31)
        session.event_hub.publish(
            ftrack_api.event.base.Event(
                topic='ftrack.action.trigger-user-interface',
                data=dict(
                    type='message',
                    success=False,
                    message='You are not allowed to set this status'
                ),
                target='applicationId=ftrack.client.web and user.id="{0}"'.format(user_id)
            ),
            on_error='ignore'
        )


def register(session, **kw):
    '''Register event listener.'''

    # Validate that session is an instance of ftrack_api.Session. If not,
    # assume that register is being called from an incompatible API
    # and return without doing anything.
    if not isinstance(session, ftrack_api.Session):
        # Exit to avoid registering this plugin again.
        return

    # Get the ID of the allowed group
    allowed_group = session.query(
        'Group where name is {0}'.format(ALLOWED_GROUP_NAME)
    ).one()
    allowed_group_id = allowed_group['id']

    # Get the ids of the restricted statuses.
    restricted_statuses = session.query(
        'Status where name in ("{0}")'.format(
            '", "'.join(RESTRICTED_STATUSES)
        )
    )
    restricted_status_ids = [status['id'] for status in restricted_statuses]

    # Register the event handler
    handle_event = functools.partial(
         restrict_status_updates, session, allowed_group_id,
         restricted_status_ids
    )
    session.event_hub.subscribe('topic=ftrack.update', handle_event)


if __name__ == '__main__':
    logging.basicConfig(level=logging.INFO)
    session = ftrack_api.Session(auto_connect_event_hub=True)
    register(session)

    # Wait for events.
    session.event_hub.wait()
