# What SharePoint's cmdlets cannot return, read from its object model.

# Returns the right of an app principal at the scope of the site subscription, and
# whether it may act without a user, in the same way as Microsoft's own checker.
# Source: Check-SiteMailboxConfig.ps1 in "Configure site mailboxes in
# SharePoint Server".
function Get-AppPermission {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [object] $Web,
        [Parameter(Mandatory = $true)] [string] $RegisteredName
    )

    $name = [Microsoft.SharePoint.SPAppPrincipalName]::CreateFromNameIdentifier($RegisteredName)
    $manager = [Microsoft.SharePoint.SPAppPrincipalManager]::GetManager($Web)
    $principal = $manager.LookupAppPrincipal([Microsoft.SharePoint.SPAppPrincipalIdentityProvider]::External, $name)
    if ($null -eq $principal) { return [pscustomobject] @{ Right = ''; AppOnly = $false } }
    $permissions = New-Object Microsoft.SharePoint.SPAppPrincipalPermissionsManager $Web
    $right = [string] $permissions.GetAppPrincipalSiteSubscriptionContentPermission($principal)
    if ($right -notin 'FullControl', 'Manage', 'Write', 'Read') { $right = '' }
    return [pscustomobject] @{ Right = $right; AppOnly = [bool] $permissions.IsAppOnlyPolicyAllowed($principal) }
}
